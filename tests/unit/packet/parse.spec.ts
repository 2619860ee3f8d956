// Parsing, both sides of every edge: one byte more is a packet, one byte less is a reason.

import {
  ENTRY_BYTES, ENTRY_FRAME, ENTRY_PORT, PORT_FLAGS, PORT_MAC,
} from "../../../assembly/abi/layout";
import { DropReason, PortFlag, Protocol } from "../../../assembly/abi/enums";
import { portAt } from "../../../assembly/link/local";
import { receiveList } from "../../../assembly/memory";
import { Packet, PacketFlag } from "../../../assembly/packet/packet";
import { Kind, parseRest, readPorts } from "../../../assembly/packet/parse";
import { scan } from "../../../assembly/packet/scan";
import { checksum } from "../../../assembly/wire/checksum";
import { set16 } from "../../../assembly/wire/field";
import { freshEngine, ip4, SCRATCH } from "../world";

const FRAME: usize = SCRATCH + 66;
const L3: usize = FRAME + 14;
const MAC: u64 = 0x010100000002;

/** An IPv4 frame of a protocol with `headerBytes` of header and `totalBytes` in all. */
function ipv4(protocol: Protocol, headerBytes: u32, totalBytes: u32): void {
  memory.fill(FRAME, 0, 2000);
  store<u64>(FRAME, MAC);
  store<u16>(FRAME, 0x0008, 12);
  store<u8>(L3, <u8>(0x40 | (headerBytes >> 2)));
  set16(L3 + 2, totalBytes);
  store<u8>(L3, 64, 8);
  store<u8>(L3, <u8>protocol, 9);
  store<u32>(L3, ip4(10, 0, 0, 1), 12);
  store<u32>(L3, ip4(10, 0, 1, 100), 16);
  seal(headerBytes);
}

function seal(headerBytes: u32 = 20): void {
  store<u16>(L3, 0, 10);
  store<u16>(L3, <u16>checksum(L3, headerBytes), 10);
}

/** An IPv6 frame whose first header is `next` and whose payload has `payloadBytes`. */
function ipv6(next: Protocol, payloadBytes: u32): void {
  memory.fill(FRAME, 0, 2000);
  store<u64>(FRAME, MAC);
  store<u16>(FRAME, 0xdd86, 12);
  store<u8>(L3, 0x60);
  set16(L3 + 4, payloadBytes);
  store<u8>(L3, <u8>next, 6);
  store<u8>(L3, 64, 7);
  store<u16>(L3, 0x00fd, 8);
  store<u16>(L3, 0x00fd, 24);
  store<u8>(L3, 1, 23);
  store<u8>(L3, 2, 39);
}

function scanned(bytes: u32): Packet {
  store<u32>(receiveList, <u32>FRAME, ENTRY_FRAME);
  store<u32>(receiveList, bytes, ENTRY_BYTES);
  store<u16>(receiveList, 1, ENTRY_PORT);
  let packet = Packet.at(0);
  scan(packet, 0);
  return packet;
}

function isOrdinary(bytes: u32): bool {
  return scanned(bytes).has(PacketFlag.Ordinary);
}

/** The reason a frame is refused for, None when it is not. */
function refused(bytes: u32): u32 {
  let packet = scanned(bytes);
  return parseRest(packet) == Kind.Bad ? packet.aside : <u32>DropReason.None;
}

describe("the short parser", () => {
  beforeEach(() => {
    freshEngine();
    store<u64>(portAt(1), MAC, PORT_MAC);
    store<u32>(portAt(1), <u32>PortFlag.Up, PORT_FLAGS);
  });

  it("takes TCP from 40 bytes on", () => {
    ipv4(Protocol.Tcp, 20, 40);
    expect(isOrdinary(54)).toBe(true);
    expect(isOrdinary(53)).toBe(false, "the frame is a byte short");
    ipv4(Protocol.Tcp, 20, 39);
    expect(isOrdinary(60)).toBe(false, "the header is a byte short");
  });

  it("takes UDP from 28 bytes on", () => {
    ipv4(Protocol.Udp, 20, 28);
    expect(isOrdinary(42)).toBe(true);
    expect(isOrdinary(41)).toBe(false);
    ipv4(Protocol.Udp, 20, 27);
    expect(isOrdinary(60)).toBe(false);
  });

  it("takes a header only when its sum is right, whatever bit is wrong", () => {
    for (let bit: u32 = 0; bit < 160; bit++) {
      ipv4(Protocol.Udp, 20, 60);
      let at = L3 + (bit >> 3);
      store<u8>(at, load<u8>(at) ^ <u8>(<u32>1 << (bit & 7)));
      expect(isOrdinary(74)).toBe(false);
    }
    ipv4(Protocol.Udp, 20, 60);
    expect(isOrdinary(74)).toBe(true);
  });

  it("takes nothing at a port that is down", () => {
    ipv4(Protocol.Udp, 20, 60);
    store<u32>(portAt(1), 0, PORT_FLAGS);
    expect(isOrdinary(74)).toBe(false);
    expect(refused(74)).toBe(<u32>DropReason.PortDown);
  });

  it("does not count the padding of a short frame", () => {
    ipv4(Protocol.Udp, 20, 28);
    let packet = scanned(60);
    packet.complete();
    expect(packet.ipBytes).toBe(28);
    expect(packet.l4).toBe(<u32>L3 + 20);
  });

  it("leaves options, fragments, other protocols and other types to the long one", () => {
    ipv4(Protocol.Tcp, 24, 60);
    expect(isOrdinary(100)).toBe(false, "options");
    ipv4(Protocol.Sctp, 20, 60);
    expect(isOrdinary(100)).toBe(false, "SCTP");
    ipv4(Protocol.Tcp, 20, 60);
    set16(L3 + 6, 0x2000);
    seal();
    expect(isOrdinary(100)).toBe(false, "first fragment");
    set16(L3 + 6, 1);
    seal();
    expect(isOrdinary(100)).toBe(false, "later fragment");
    set16(L3 + 6, 0x4000);
    seal();
    expect(isOrdinary(100)).toBe(true, "don't fragment");
    store<u16>(FRAME, 0x0608, 12);
    expect(isOrdinary(100)).toBe(false, "ARP");
  });

  it("wants the port's own hardware address and a right header checksum", () => {
    ipv4(Protocol.Tcp, 20, 60);
    store<u8>(FRAME, load<u8>(FRAME, 5) ^ 1, 5);
    expect(isOrdinary(100)).toBe(false);
    ipv4(Protocol.Tcp, 20, 60);
    store<u8>(L3, 63, 8);
    expect(isOrdinary(100)).toBe(false);
    expect(refused(100)).toBe(<u32>DropReason.IpChecksum);
  });
});

describe("the long parser, IPv4", () => {
  beforeEach(() => {
    freshEngine();
    store<u64>(portAt(1), MAC, PORT_MAC);
    store<u32>(portAt(1), <u32>PortFlag.Up, PORT_FLAGS);
  });

  it("counts why a frame is refused", () => {
    ipv4(Protocol.Tcp, 20, 60);
    expect(refused(74)).toBe(<u32>DropReason.None);
    expect(refused(73)).toBe(<u32>DropReason.Truncated, "total length");
    expect(refused(33)).toBe(<u32>DropReason.Truncated, "header");
    expect(refused(13)).toBe(<u32>DropReason.Truncated, "Ethernet");
    store<u8>(L3, 0x55);
    expect(refused(74)).toBe(<u32>DropReason.BadHeader, "version");
    ipv4(Protocol.Tcp, 16, 60);
    expect(refused(74)).toBe(<u32>DropReason.BadHeader, "header length 16");
    ipv4(Protocol.Tcp, 60, 59);
    expect(refused(80)).toBe(<u32>DropReason.BadHeader, "total below header");
    ipv4(Protocol.Tcp, 60, 60);
    expect(refused(74)).toBe(<u32>DropReason.None, "total equals header");
    store<u16>(FRAME, 0x3412, 12);
    expect(refused(74)).toBe(<u32>DropReason.EtherType);
  });

  it("refuses addresses nobody has", () => {
    // 0.0.0.0, 127.1.2.3, 224.1.2.3, 239.1.2.3 and 255.255.255.255, in the wire's order.
    let sources: u32[] = [0, 0x0302017f, 0x030201e0, 0x030201ef, 0xffffffff];
    for (let i = 0; i < sources.length; i++) {
      ipv4(Protocol.Tcp, 20, 60);
      store<u32>(L3, sources[i], 12);
      seal();
      assert(refused(74) == <u32>DropReason.Martian, `source ${sources[i]}`);
    }
    // 0.1.2.3 and 240.1.2.3 may be somebody's.
    let unusual: u32[] = [0x03020100, 0x030201f0];
    for (let i = 0; i < unusual.length; i++) {
      ipv4(Protocol.Tcp, 20, 60);
      store<u32>(L3, unusual[i], 12);
      seal();
      assert(refused(74) == <u32>DropReason.None, `source ${unusual[i]}`);
    }
    ipv4(Protocol.Tcp, 20, 60);
    store<u8>(L3, 223, 12);
    seal();
    expect(refused(74)).toBe(<u32>DropReason.None);
    store<u8>(L3, 224, 16);
    seal();
    expect(refused(74)).toBe(<u32>DropReason.Broadcast);
  });

  it("does not listen at a port that is down", () => {
    ipv4(Protocol.Tcp, 20, 60);
    store<u32>(portAt(1), 0, PORT_FLAGS);
    expect(refused(74)).toBe(<u32>DropReason.PortDown);
  });

  it("reads ports wherever all four bytes of them are there", () => {
    ipv4(Protocol.Sctp, 20, 24);
    let packet = scanned(60);
    parseRest(packet);
    expect(readPorts(packet)).toBe(true, "4 bytes of SCTP");
    ipv4(Protocol.Sctp, 20, 23);
    packet = scanned(60);
    parseRest(packet);
    expect(readPorts(packet)).toBe(false, "3 bytes of SCTP");
  });

  it("knows a fragment's place", () => {
    ipv4(Protocol.Udp, 20, 60);
    set16(L3 + 6, 0x2000 | 185);
    seal();
    let packet = scanned(74);
    parseRest(packet);
    expect(packet.has(PacketFlag.Fragment)).toBe(true);
    expect(packet.fragmentOffset).toBe(1480);
    expect(packet.moreFragments).toBe(1);
  });
});

describe("the long parser, IPv6", () => {
  beforeEach(() => {
    freshEngine();
    store<u64>(portAt(1), MAC, PORT_MAC);
    store<u32>(portAt(1), <u32>PortFlag.Up, PORT_FLAGS);
  });

  it("takes what its length says and no less", () => {
    ipv6(Protocol.Tcp, 20);
    expect(refused(74)).toBe(<u32>DropReason.None);
    expect(refused(73)).toBe(<u32>DropReason.Truncated);
    expect(refused(53)).toBe(<u32>DropReason.Truncated);
    store<u8>(L3, 0x40);
    expect(refused(74)).toBe(<u32>DropReason.BadHeader);
  });

  it("finds the upper protocol behind extension headers", () => {
    ipv6(Protocol.HopByHop, 8 + 16 + 20);
    store<u8>(L3, <u8>Protocol.DestinationOptions, 40);
    store<u8>(L3, <u8>Protocol.Tcp, 48);
    store<u8>(L3, 1, 49); // 16 bytes
    let packet = scanned(98);
    expect(parseRest(packet)).toBe(Kind.Ip);
    expect(packet.protocol).toBe(<u8>Protocol.Tcp);
    expect(packet.l4).toBe(<u32>L3 + 64);
  });

  it("passes on what a router need not read, and refuses what it must", () => {
    ipv6(Protocol.HopByHop, 8 + 16 + 20);
    store<u8>(L3, <u8>Protocol.DestinationOptions, 40);
    store<u8>(L3, 5, 49); // 48 bytes of destination options: beyond the end
    let packet = scanned(98);
    expect(parseRest(packet)).toBe(Kind.Ip);
    expect(packet.protocol).toBe(<u8>Protocol.DestinationOptions);
    expect(packet.l4).toBe(packet.end);
    store<u8>(L3, 15, 41); // the hop-by-hop options themselves
    expect(refused(98)).toBe(<u32>DropReason.BadHeader);
  });

  it("gives up on a chain of headers without end", () => {
    ipv6(Protocol.HopByHop, 400);
    expect(refused(454)).toBe(<u32>DropReason.BadHeader);
  });

  it("knows a fragment's place, and passes on one whose header is cut off as nobody's", () => {
    ipv6(Protocol.Fragment, 8);
    store<u8>(L3, <u8>Protocol.Udp, 40);
    set16(L3 + 42, 1448 | 1);
    let packet = scanned(62);
    expect(parseRest(packet)).toBe(Kind.Ip);
    expect(packet.fragmentOffset).toBe(1448);
    expect(packet.moreFragments).toBe(1);
    set16(L3 + 4, 7);
    packet = scanned(62);
    expect(parseRest(packet)).toBe(Kind.Ip);
    expect(<u32>packet.protocol).toBe(<u32>Protocol.Fragment);
    expect(packet.has(PacketFlag.Fragment)).toBe(false);
  });
});
