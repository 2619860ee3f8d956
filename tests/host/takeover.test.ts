// Two directors: the second is told by the first, and goes on with its connections when the first is gone.

import assert from "node:assert/strict";
import { test } from "node:test";
import { buildUdp, Exchange } from "./exchange.js";
import { ACK, buildSegment, PSH, readSegment, SYN } from "./segments.js";

const MESSAGE_AT = 42;
const GROUP_MAC = [1, 0, 0x5e, 0, 0, 0x51, 2, 0, 0, 0, 1, 2, 8, 0];
const SERVICE = ["ipvsadm -A -t 10.0.1.100:21 -s rr", ...[1, 2, 3].map((n) => `ipvsadm -a -t 10.0.1.100:21 -r 10.0.2.${10 + n}:21 -m`)];
const CLIENT = "10.0.1.50";
const VIRTUAL = "10.0.1.100";
const MAC = "02:00:00:00:00:01"; // a packet of it is put into other frames
const PASSIVE = "227 Entering Passive Mode (10,0,2,13,195,80).\r\n";

interface Said { flags: number; seq: number; ack: number; text?: string }
const segment = (source: string, sourcePort: number, target: string, targetPort: number, said: Said): Uint8Array =>
  buildSegment({ macTo: MAC, source, sourcePort, target, targetPort, ...said }).subarray(14);

/** What the first has to say, for the second: the same messages, from another address. */
function messagesOf(first: Exchange): Uint8Array[] {
  return first.replay.advance(4).filter((one) => one.bytes[0] === 1).map((one) =>
    Buffer.concat([Buffer.from(GROUP_MAC), buildUdp("10.0.1.2", 49152, "224.0.0.81", 8848, one.bytes.slice(MESSAGE_AT))]));
}

test("an FTP client's dialog, its numbers already shifted, goes on at the second director", async () => {
  const first = await Exchange.begin(...SERVICE, "ipvsadm --start-daemon master --mcast-interface out --syncid 7");
  const second = await Exchange.begin(...SERVICE, "ipvsadm --start-daemon backup --mcast-interface out --syncid 7");
  const client = (at: Exchange, said: Said) => at.fromClient(segment(CLIENT, 40000, VIRTUAL, 21, said));
  const opened = client(first, { flags: SYN, seq: 1000, ack: 0 })[0];
  assert.equal(opened?.server, 3);
  const server = (at: Exchange, said: Said) => at.fromServer(3, segment("10.0.2.13", 21, CLIENT, 40000, said));
  server(first, { flags: SYN | ACK, seq: 5000, ack: 1001 });
  client(first, { flags: ACK, seq: 1001, ack: 5001 });
  client(first, { flags: ACK | PSH, seq: 1001, ack: 5001, text: "PASV\r\n" });
  // The virtual address is one character longer than the server's.
  server(first, { flags: ACK | PSH, seq: 5001, ack: 1007, text: PASSIVE });
  // The data connection brings the command connection's record along.
  for (const flags of [SYN, ACK, ACK]) first.fromClient(segment(CLIENT, 40001, VIRTUAL, 50000, { flags, seq: 1, ack: 1 }));

  const messages = messagesOf(first);
  assert.ok(messages.length > 0, "the first has told of it");
  for (const message of messages) assert.equal(second.replay.receive("out", message).length, 0);
  assert.ok((await second.rows()).some((row) => /ESTABLISHED 10\.0\.1\.50:40000 +10\.0\.1\.100:21 +10\.0\.2\.13:21$/.test(row)), "the second knows it");

  const end = 5001 + PASSIVE.length;
  const toServer = client(second, { flags: ACK, seq: 1007, ack: end + 1 })[0];
  assert.equal(toServer?.server, 3);
  assert.equal(readSegment(toServer.bytes).ack, end, "the acknowledgment is shifted back");
  const toClient = server(second, { flags: ACK | PSH, seq: end, ack: 1007, text: "226 done\r\n" })[0];
  assert.ok(toClient);
  assert.equal(readSegment(toClient.bytes).seq, end + 1, "the server's bytes are shifted on");
});

test("sync_ports: a master speaks to as many ports, of a connection always to the same; a later setting waits for its next start", async () => {
  const first = await Exchange.begin(...SERVICE, "sysctl -w net.ipv4.vs.sync_ports=4 net.ipv4.vs.sync_threshold=\"0 1\"",
    "ipvsadm --start-daemon master --mcast-interface out --syncid 7", "sysctl -w net.ipv4.vs.sync_ports=1");
  const ports = new Map<number, Set<number>>();
  for (let round = 0; round < 3; round++) {
    for (let client = 40000; client < 40032; client++) {
      const server = first.fromClient(segment(CLIENT, client, VIRTUAL, 21, { flags: round === 0 ? SYN : ACK, seq: 1, ack: 1 }))[0]?.server ?? 0;
      if (round === 0) first.fromServer(server, segment(`10.0.2.${10 + server}`, 21, CLIENT, client, { flags: SYN | ACK, seq: 1, ack: 2 }));
    }
    for (const { bytes } of first.replay.advance(4).filter((one) => one.bytes[0] === 1)) {
      const frame = Buffer.from(bytes);
      for (let at = MESSAGE_AT + 8, left = frame[MESSAGE_AT + 4] ?? 0; left > 0; left--, at += (frame.readUInt16BE(at + 2) & 0xfff) + 3 & ~3) {
        const client = frame.readUInt16BE(at + 10);
        ports.set(client, (ports.get(client) ?? new Set()).add(frame.readUInt16BE(36)));
      }
    }
  }
  assert.equal(ports.size, 32, "every connection is told of");
  for (const told of ports.values()) assert.equal(told.size, 1);
  assert.deepEqual([...new Set([...ports.values()].flatMap((one) => [...one]))].sort(), [8848, 8849, 8850, 8851]);
});
