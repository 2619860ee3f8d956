// Which service a packet belongs to: mark, then address and port, then FTP, then all ports.

import {
  REQUEST_ADDRESS, REQUEST_BASE, REQUEST_FAMILY, REQUEST_FLAGS, REQUEST_FWMARK, REQUEST_PORT, REQUEST_PROTOCOL,
} from "../../../assembly/abi/layout";
import { Operation, ServiceFlag } from "../../../assembly/abi/enums";
import { findExact, findService } from "../../../assembly/service/service";
import { mapAddress, port } from "../../../assembly/wire/field";
import { freshEngine, freshRequest, ip4, must, SCRATCH } from "../world";

const TCP: u32 = 6;
const UDP: u32 = 17;

function request(protocol: u32, number: u32, mark: u32): void {
  freshRequest();
  store<u8>(REQUEST_BASE, 4, REQUEST_FAMILY);
  store<u8>(REQUEST_BASE, <u8>protocol, REQUEST_PROTOCOL);
  store<u16>(REQUEST_BASE, <u16>port(number), REQUEST_PORT);
  if (mark == 0) {
    mapAddress(REQUEST_BASE + REQUEST_ADDRESS, ip4(10, 0, 1, 100));
  } else {
    store<u32>(REQUEST_BASE, <u32>ServiceFlag.Fwmark, REQUEST_FLAGS);
    store<u32>(REQUEST_BASE, mark, REQUEST_FWMARK);
  }
}

function service(protocol: u32, number: u32, mark: u32 = 0): u32 {
  request(protocol, number, mark);
  return must(Operation.ServiceAdd);
}

function found(protocol: u32, number: u32, mark: u32 = 0): u32 {
  mapAddress(SCRATCH, ip4(10, 0, 1, 100));
  return findService(4, mark, protocol, SCRATCH, port(number));
}

describe("finding a service", () => {
  beforeEach(freshEngine);

  it("there is none in an empty engine", () => {
    expect(found(TCP, 80)).toBe(0);
  });

  it("asks the mark before address and port", () => {
    let web = service(TCP, 80);
    let marked = service(0, 0, 5);
    expect(found(TCP, 80)).toBe(web);
    expect(found(TCP, 80, 5)).toBe(marked);
    expect(found(TCP, 80, 6)).toBe(web, "a mark without service");
    expect(found(UDP, 7, 5)).toBe(marked, "a mark has any protocol");
  });

  it("keeps protocols, ports, addresses and families apart", () => {
    let web = service(TCP, 80);
    let dns = service(UDP, 80);
    expect(found(TCP, 80)).toBe(web);
    expect(found(UDP, 80)).toBe(dns);
    expect(found(TCP, 81)).toBe(0);
    mapAddress(SCRATCH, ip4(10, 0, 1, 101));
    expect(findService(4, 0, TCP, SCRATCH, port(80))).toBe(0);
    mapAddress(SCRATCH, ip4(10, 0, 1, 100));
    expect(findService(6, 0, TCP, SCRATCH, port(80))).toBe(0);
  });

  it("gives FTP's data connections to the FTP service, TCP only, port 20 and from 1024 on", () => {
    let ftp = service(TCP, 21);
    expect(found(TCP, 20)).toBe(ftp);
    expect(found(TCP, 1023)).toBe(0);
    expect(found(TCP, 1024)).toBe(ftp);
    expect(found(UDP, 1024)).toBe(0);
    let exact = service(TCP, 5000);
    expect(found(TCP, 5000)).toBe(exact);
  });

  it("asks the service of all ports last", () => {
    let all = service(TCP, 0);
    expect(found(TCP, 1023)).toBe(all);
    expect(found(TCP, 5000)).toBe(all);
    let ftp = service(TCP, 21);
    expect(found(TCP, 5000)).toBe(ftp);
    expect(found(TCP, 1023)).toBe(all);
  });

  it("forgets a deleted one, and keeps the others of its chain", () => {
    for (let number: u32 = 1; number <= 3000; number++) service(TCP, number);
    for (let number: u32 = 2; number <= 3000; number += 2) {
      request(TCP, number, 0);
      must(Operation.ServiceDelete);
    }
    mapAddress(SCRATCH, ip4(10, 0, 1, 100));
    for (let number: u32 = 1; number <= 3000; number++) {
      let index = findExact(4, 0, TCP, SCRATCH, port(number));
      assert((index != 0) == (number % 2 == 1), `port ${number}`);
    }
  });
});
