// Servers by their names: one record each, listed or removed, given back when nobody needs it any more.

import {
  CONTROL_BASE, CONTROL_NOW_MS, REQUEST_ADDRESS, REQUEST_BASE, REQUEST_FAMILY, REQUEST_FORWARD, REQUEST_PORT, REQUEST_PROTOCOL,
  REQUEST_SERVER_ADDRESS, REQUEST_SERVER_FAMILY, REQUEST_SERVER_PORT, REQUEST_WEIGHT,
} from "../../../assembly/abi/layout";
import { Forward, Operation } from "../../../assembly/abi/enums";
import { SERVERS_MAX } from "../../../assembly/abi/limits";
import { control } from "../../../assembly/control";
import { setNow } from "../../../assembly/memory";
import { findListed, findServer } from "../../../assembly/service/named";
import { releaseServers } from "../../../assembly/service/removed";
import { Server } from "../../../assembly/service/server";
import { Service } from "../../../assembly/service/service";
import { mapAddress, port } from "../../../assembly/wire/field";
import { freshEngine, freshRequest, ip4, must, SCRATCH } from "../world";

const TCP: u32 = 6;
const MINUTE_MS: u32 = 60000;

/** The request for server 10.0.H.L:8080 of service 10.0.1.100:`number`. */
function name(number: u32, server: u32): void {
  freshRequest();
  store<u8>(REQUEST_BASE, 4, REQUEST_FAMILY);
  store<u8>(REQUEST_BASE, <u8>TCP, REQUEST_PROTOCOL);
  store<u16>(REQUEST_BASE, <u16>port(number), REQUEST_PORT);
  mapAddress(REQUEST_BASE + REQUEST_ADDRESS, ip4(10, 0, 1, 100));
  store<u8>(REQUEST_BASE, 4, REQUEST_SERVER_FAMILY);
  mapAddress(REQUEST_BASE + REQUEST_SERVER_ADDRESS, serverAddress(server));
  store<u16>(REQUEST_BASE, <u16>port(8080), REQUEST_SERVER_PORT);
  store<u8>(REQUEST_BASE, <u8>Forward.Nat, REQUEST_FORWARD);
  store<u32>(REQUEST_BASE, 1, REQUEST_WEIGHT);
}

function serverAddress(server: u32): u32 {
  return ip4(10, 1 + (server >> 14), (server >> 7) & 127, 1 + (server & 127));
}

function service(number: u32): u32 {
  name(number, 0);
  return must(Operation.ServiceAdd);
}

function add(number: u32, server: u32): u32 {
  name(number, server);
  return must(Operation.ServerAdd);
}

function remove(number: u32, server: u32): void {
  name(number, server);
  must(Operation.ServerDelete);
}

function found(index: u32, server: u32): u32 {
  mapAddress(SCRATCH, serverAddress(server));
  return findServer(Service.at(index), 4, SCRATCH, port(8080));
}

function listed(index: u32, server: u32): u32 {
  mapAddress(SCRATCH, serverAddress(server));
  return findListed(Service.at(index), 4, SCRATCH, port(8080));
}

/** The rounds that a removed server without connections is forgotten in. */
function forget(): void {
  for (let round: u32 = 1; round <= 4; round++) {
    setNow(round * MINUTE_MS);
    store<u32>(CONTROL_BASE, round * MINUTE_MS, CONTROL_NOW_MS);
    releaseServers();
  }
}

describe("a server's name", () => {
  beforeEach(freshEngine);

  it("is its own in each service", () => {
    let web = service(80);
    let mail = service(25);
    let first = add(80, 1);
    let second = add(25, 1);
    expect(first != second).toBe(true);
    expect(listed(web, 1)).toBe(first);
    expect(listed(mail, 1)).toBe(second);
    expect(listed(web, 2)).toBe(0);
  });

  it("stays with the record of a removed server, which comes back by it", () => {
    let web = service(80);
    let first = add(80, 1);
    remove(80, 1);
    expect(listed(web, 1)).toBe(0);
    expect(found(web, 1)).toBe(first);
    expect(add(80, 1)).toBe(first);
    expect(listed(web, 1)).toBe(first);
  });

  it("is free once a removed server is forgotten, and its record the first to be used", () => {
    let web = service(80);
    for (let server: u32 = 1; server <= 40; server++) add(80, server);
    let ninth = found(web, 9);
    remove(80, 9);
    remove(80, 20);
    forget();
    expect(found(web, 9)).toBe(0);
    expect(found(web, 20)).toBe(0);
    for (let server: u32 = 1; server <= 40; server++) if (server != 9 && server != 20) expect(listed(web, server)).toBe(found(web, server));
    expect(add(80, 99)).toBe(ninth);
    expect(Server.at(ninth).family).toBe(4);
  });

  it("finds each of as many as there may be, and one more is refused", () => {
    let web = service(80);
    for (let server: u32 = 1; server < SERVERS_MAX; server++) add(80, server);
    for (let server: u32 = 1; server < SERVERS_MAX; server += 977) expect(listed(web, server)).toBe(server);
    name(80, SERVERS_MAX);
    expect(control(<u32>Operation.ServerAdd) < 0).toBe(true);
  });
});
