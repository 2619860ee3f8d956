// Another host that says it has one of the director's addresses is counted, by ARP and by neighbour discovery.

import assert from "node:assert/strict";
import { test } from "node:test";
import { addressBytes, ethernet, ICMP6, ipPacket, sumWords } from "../fuzz/packets.js";
import { createRecordedDirector } from "../oracle/recording.js";

const OTHER = "02:00:00:00:01:77";
/** Of the director's ports "out" and "in". */
const [OUT, IN] = ["02:00:00:00:01:01", "02:00:00:00:02:01"];
const ALL = "ff:ff:ff:ff:ff:ff";
const ARP = 0x0806;

const macBytes = (mac: string): Buffer => Buffer.from(mac.replaceAll(":", ""), "hex");

function arp(operation: 1 | 2, senderMac: string, sender: string, target: string): Buffer {
  const frame = Buffer.concat([macBytes(ALL), macBytes(senderMac), Buffer.alloc(2), Buffer.from([0, 1, 8, 0, 6, 4, 0, operation]),
    macBytes(senderMac), addressBytes(sender), Buffer.alloc(6), addressBytes(target)]);
  frame.writeUInt16BE(ARP, 12);
  return frame;
}

/** An unsolicited advertisement to all nodes. */
function advertisement(mac: string, address: string): Buffer {
  const icmp = Buffer.concat([Buffer.from([136, 0, 0, 0, 0x20, 0, 0, 0]), addressBytes(address), Buffer.from([2, 1]), macBytes(mac)]);
  const pseudo = Buffer.concat([addressBytes(address), addressBytes("ff02::1"), Buffer.from([0, 0, 0, icmp.length, 0, 0, 0, ICMP6])]);
  icmp.writeUInt16BE(~sumWords(Buffer.concat([pseudo, icmp])) & 0xffff, 2);
  return ethernet("33:33:00:00:00:01", mac, ipPacket({ source: address, target: "ff02::1", protocol: ICMP6, ttl: 255, payload: icmp }));
}

test("an address of the director from another hardware address is a conflict, and is still defended", async () => {
  const { engine, ...rest } = await start();
  const conflicts = (): bigint | undefined => engine.drops()["AddressConflict"];
  assert.equal(rest.send("out", arp(2, OTHER, "10.0.1.50", "10.0.1.1")).length, 0, "a neighbour's reply");
  assert.equal(conflicts(), undefined);
  assert.equal(rest.send("out", arp(1, OTHER, "10.0.1.100", "10.0.1.7")).length, 0, "a server asks with the virtual address");
  assert.equal(conflicts(), 1n);
  const [defence] = rest.send("out", arp(1, OTHER, "10.0.1.100", "10.0.1.100"));
  assert.equal(defence?.bytes.toString("hex", 6, 12), macBytes(OUT).toString("hex"), "gratuitous ARP is answered with who has the address here");
  assert.equal(conflicts(), 2n);
  rest.send("out", advertisement(OTHER, "fd00:1::100"));
  assert.equal(conflicts(), 3n);
});

test("the director's own words, heard by another port on the same wire, are none", async () => {
  const { engine, send } = await start();
  for (const frame of [arp(1, OUT, "10.0.1.100", "10.0.1.100"), advertisement(OUT, "fd00:1::100")]) send("in", frame);
  send("out", arp(1, IN, "10.0.2.1", "10.0.2.1"));
  assert.equal(engine.drops()["AddressConflict"], undefined);
});

async function start(): Promise<{ engine: { drops(): Record<string, bigint> }; send(port: string, frame: Buffer): { bytes: Buffer }[] }> {
  const replay = await createRecordedDirector();
  return { engine: replay.engine, send: (port, frame) => replay.receive(port, frame).map(({ bytes }) => ({ bytes: Buffer.from(bytes) })) };
}
