// What reaches a worker that it does not belong to: errors, whole datagrams, what FTP announces.

import assert from "node:assert/strict";
import { test } from "node:test";
import { buildIcmp, buildIp, buildPieces, buildUdp } from "../host/exchange.js";
import { ACK, buildSegment, PSH, SYN } from "../host/segments.js";
import { createRecordedDirector } from "../oracle/recording.js";
import type { Step } from "../oracle/kernel/recorder.js";
import { assertAlike, command, crowd, inside, outside, pass, play } from "./alike.js";

const CLIENT = "10.0.1.50";
const VIRTUAL = "10.0.1.100";
const SERVER = "10.0.2.11";
const INNER = "10.0.2.1";
const ROUTER = "10.0.2.254";
const OUT_MAC = "02:00:00:00:01:01";
const IN_MAC = "02:00:00:00:02:01";
/** Sums are made every two seconds. */
const STATISTICS = [pass(2), command("ipvsadm -Ln --stats --exact")];

const ethernet = (mac: string, packet: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(mac.replaceAll(":", ""), "hex"), Buffer.from("0200000000fe0800", "hex"), packet]);
const clients = (packet: Uint8Array): Step => outside(ethernet(OUT_MAC, packet));
const servers = (packet: Uint8Array): Step => inside(ethernet(IN_MAC, packet));

/** A datagram of a client, in pieces. */
const pieces = (port: number): Buffer[] => buildPieces(buildUdp(CLIENT, port, VIRTUAL, 53, Buffer.alloc(1000, port & 255)), port, 400);

/** Clients' ports: enough for some of every worker's. */
const PORTS_ASKED = Array.from({ length: 8 }, (_, index) => 4000 + index);

test("an error about a datagram whose pieces never came counts at its connection, whoever owns it", async () => {
  const steps: Step[] = [command(`ipvsadm -A -u ${VIRTUAL}:53 -s rr; ipvsadm -a -u ${VIRTUAL}:53 -r ${SERVER} -g`)];
  for (const port of PORTS_ASKED) {
    steps.push(clients(buildUdp(CLIENT, port, VIRTUAL, 53, Buffer.from("?"))));
    steps.push(clients(pieces(port)[0] as Buffer));
  }
  const events = await assertAlike([...steps, pass(40), ...STATISTICS]);
  assert.match(events.at(-1)?.stdout ?? "", new RegExp(`-> ${SERVER}:53 +${PORTS_ASKED.length} +${PORTS_ASKED.length} +${PORTS_ASKED.length} `));
});

test("a whole datagram goes on to its connection's worker, and leaves in the pieces it came in", async () => {
  const steps: Step[] = [command(`ipvsadm -A -u ${VIRTUAL}:53 -s rr; ipvsadm -a -u ${VIRTUAL}:53 -r ${SERVER} -m`)];
  for (const port of PORTS_ASKED) steps.push(...pieces(port).reverse().map(clients));
  const events = await assertAlike([...steps, command("ipvsadm -Lnc"), ...STATISTICS]);
  assert.equal(events.filter((one) => one.ev === "out").length, 3 * PORTS_ASKED.length);
});

const GUE_PORT = 6080;
const IP_IN_IP = 4;
const GRE = 47;
const TUNNELS: Record<string, { words: string; outer(inner: Buffer): Buffer }> = {
  ipip: { words: "--tun-type ipip", outer: (inner) => buildIp(INNER, SERVER, IP_IN_IP, inner) },
  gre: { words: "--tun-type gre --tun-nocsum", outer: (inner) => buildIp(INNER, SERVER, GRE, Buffer.concat([Buffer.from([0, 0, 8, 0]), inner])) },
  gue: {
    words: `--tun-type gue --tun-port ${GUE_PORT} --tun-nocsum`,
    outer: (inner) => buildUdp(INNER, 50000, SERVER, GUE_PORT, Buffer.concat([Buffer.from([0, IP_IN_IP, 0, 0]), inner])),
  },
};

for (const [type, { words, outer }] of Object.entries(TUNNELS)) {
  test(`an error about a packet in a ${type} tunnel is its client's worker's, and never wanders`, async () => {
    const steps: Step[] = [command(`ipvsadm -A -u ${VIRTUAL}:53 -s rr; ipvsadm -a -u ${VIRTUAL}:53 -r ${SERVER}:53 -i ${words}`)];
    const asked = (port: number): Buffer => buildUdp(CLIENT, port, VIRTUAL, 53, Buffer.alloc(64));
    for (const port of PORTS_ASKED) steps.push(clients(asked(port)));
    // Then about packets of nobody's connection: their owner is named by the same client.
    for (const port of [...PORTS_ASKED, 5001, 5002, 5003, 5004]) steps.push(servers(buildIcmp(ROUTER, INNER, 3, 1, outer(asked(port)))));
    const events = await assertAlike([...steps, ...STATISTICS]);
    assert.equal(events.filter((one) => one.ev === "out" && one.if === "out").length, PORTS_ASKED.length, "each client is told");
  });
}

const FTP = [`ipvsadm -A -t ${VIRTUAL}:21 -s rr`, `ipvsadm -a -t ${VIRTUAL}:21 -r ${SERVER}:21 -m`].map(command);
const LISTING = command("ipvsadm -Lnc");
const fromClient = (port: number, farPort: number, flags: number, seq: number, ack: number, text = ""): Step =>
  outside(buildSegment({ macTo: OUT_MAC, source: CLIENT, sourcePort: port, target: VIRTUAL, targetPort: farPort, flags, seq, ack, text }));
const fromServer = (port: number, farPort: number, flags: number, seq: number, ack: number): Step =>
  inside(buildSegment({ macTo: IN_MAC, source: SERVER, sourcePort: port, target: CLIENT, targetPort: farPort, flags, seq, ack }));

/** The command connection from a port. */
const login = (port: number): Step[] => [
  fromClient(port, 21, SYN, 1000, 0), fromServer(21, port, SYN | ACK, 5000, 1001), fromClient(port, 21, ACK, 1001, 5001),
];
const ask = (port: number, dataPort: number, seq: number): Step =>
  fromClient(port, 21, ACK | PSH, seq, 5001, `PORT ${CLIENT.replaceAll(".", ",")},${dataPort >> 8},${dataPort & 255}\r\n`);
/** The server connects to the client's data port. */
const transfer = (dataPort: number): Step[] => [
  fromServer(20, dataPort, SYN, 100, 0), fromClient(dataPort, 20, SYN | ACK, 900, 101), fromServer(20, dataPort, ACK, 101, 901),
];
/** Command ports and data ports: of the same worker, and of two. */
const SESSIONS = PORTS_ASKED.flatMap((port) => [[port, 6000 + (port & 7)], [port + 100, 6100 + 3 * (port & 7)]] as [number, number][]);

test("FTP: a data port named again listens again, whoever owns its connection", async () => {
  const steps = [...FTP];
  for (const [port, dataPort] of SESSIONS) {
    steps.push(...login(port), ask(port, dataPort, 1001), ...transfer(dataPort), LISTING, ask(port, dataPort, 1030), LISTING, ...transfer(dataPort));
  }
  const events = await assertAlike([...steps, LISTING, ...STATISTICS]);
  assert.ok((events.findLast((one) => one.cmd === "ipvsadm -Lnc")?.stdout?.split("\n").length ?? 0) > 2 * SESSIONS.length, "all are listed");
});

test("FTP: a client that names another's data port does not disturb that one's connection", async () => {
  const steps = [...FTP];
  const other = "10.0.1.51";
  for (const [port, dataPort] of SESSIONS) {
    steps.push(...login(port), ask(port, dataPort, 1001), ...transfer(dataPort));
    const away = { macTo: OUT_MAC, source: other, sourcePort: port, target: VIRTUAL, targetPort: 21 };
    steps.push(outside(buildSegment({ ...away, flags: SYN, seq: 1, ack: 0 })), outside(buildSegment({ ...away, flags: ACK, seq: 2, ack: 5001 })));
    const text = `PORT ${CLIENT.replaceAll(".", ",")},${dataPort >> 8},${dataPort & 255}\r\n`;
    steps.push(outside(buildSegment({ ...away, flags: ACK | PSH, seq: 2, ack: 5001, text })), LISTING);
  }
  const events = await assertAlike(steps);
  const rows = events.findLast((one) => one.cmd === "ipvsadm -Lnc")?.stdout ?? "";
  assert.equal(rows.match(/ESTABLISHED.*:20 /g)?.length, SESSIONS.length, "every transfer goes on");
});

test("FTP: connections of a removed server end, and what controlled them, whoever owns which", async () => {
  const steps = [command("sysctl -w net.ipv4.vs.expire_nodest_conn=1"), ...FTP];
  for (const [port, dataPort] of SESSIONS) steps.push(...login(port), ask(port, dataPort, 1001), ...(dataPort % 2 === 0 ? transfer(dataPort) : []));
  const events = await assertAlike([...steps, LISTING, command(`ipvsadm -d -t ${VIRTUAL}:21 -r ${SERVER}:21`), pass(2), LISTING]);
  const listings = events.filter((one) => one.cmd === "ipvsadm -Lnc").map((one) => one.stdout?.trimEnd().split("\n").length);
  assert.deepEqual(listings, [2 + 2 * SESSIONS.length, 2]);
});

test("drop_entry takes a command connection with the last of its data connections, whoever owns which", async () => {
  for (const workers of [1, 2, 4]) {
    const replay = await createRecordedDirector(crowd(workers, 1));
    const steps = [...FTP, command("sysctl -w net.ipv4.vs.drop_entry=3")];
    // A transfer half open is what the defence takes first.
    for (const [port, dataPort] of SESSIONS) steps.push(...login(port), ask(port, dataPort, 1001), ...transfer(dataPort).slice(0, 2));
    for (const step of [...steps, pass(40)]) await play(replay, step);
    const rows = (await play(replay, LISTING))[0]?.stdout ?? "";
    const taken = SESSIONS.filter(([, dataPort]) => !rows.includes(`:${dataPort} `));
    assert.ok(taken.length > 2, `${taken.length} of ${SESSIONS.length} transfers were taken by ${workers} workers`);
    for (const [port, dataPort] of SESSIONS) {
      const isListed = (one: number): boolean => rows.includes(`:${one} `);
      assert.equal(isListed(port), isListed(dataPort), `the session of port ${port}, ${workers} workers`);
    }
  }
});
