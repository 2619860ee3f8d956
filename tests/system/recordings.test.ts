// Recordings of a kernel through real devices: each frame goes over a wire to lvsd, and what comes back is the kernel's, by every
// driver and with several workers. Time is the machine's here, so these are recordings in which none is made to pass. Seven of them
// show what drivers could do wrong; LVS_WIRES=all plays every one that can be, some sixty, for a quarter of an hour.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { it, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { parse, stringify } from "yaml";
import { SocketDirector } from "../../host/cli/client.js";
import { lackingXdp } from "../../host/lab/cable.js";
import { Namespace } from "../../host/lab/namespace.js";
import { ended } from "../../host/lab/process.js";
import type { NetworkChanges } from "../../host/replay/context.js";
import { readScript, runScript } from "../../host/replay/shell.js";
import { outputsAfter } from "../oracle/compare.js";
import { isChatter } from "../oracle/kernel/barrier.js";
import { maskedFrame } from "../oracle/mask.js";
import { PORTS, readRecording, recordingsIn, type RecordedEvent } from "../oracle/recording.js";
import { inNamespaces } from "./inside.js";
import { Lvsd } from "./lvsd.js";
import { makeFolder } from "./rig.js";
import { ringProblem } from "./ringprobe.js";
import { TapEnd } from "./tapend.js";

const DIRECTOR = new URL("../../../tests/oracle/director.yaml", import.meta.url);
const SOME = ["nat_tcp", "dr", "tun_gue", "options6", "silenced", "ftp_ports", "tracked_fragments"];
/** Events that need the clock, and programs that change the network itself. */
const TIMED = new Set(["advance", "sleep", "freeze"]);
const CHANGING = new Set(["ip", "iptables", "ip6tables"]);
/** What the kernel's connection tracking drops, and the director does not (docs/IPVSADM.md, "What differs"). */
const MEANT = new Set(["tracked_stray"]);
/** How long what must come may take on a busy machine. */
const ANSWER_MS = 30_000;
/** How long what must not come has to stay away. */
const SILENCE_MS = 10;
const END_MS = 300;
const LOOK_MS = 1;

const asked = process.env["LVS_WIRES"];
const RECORDINGS = asked === "all" ? recordingsIn("").filter((name) => !MEANT.has(name) && isForWires(readRecording(name))) : asked?.split(",") ?? SOME;

function isForWires(events: readonly RecordedEvent[]): boolean {
  return events.some(({ ev }) => ev === "out") && events.every(({ ev, cmd }) => !TIMED.has(ev) && (cmd === undefined || !isChanging(cmd)));
}

/** True for what changes the network, or wants a real shell. */
function isChanging(command: string): boolean {
  try {
    return readScript(command).pipelines.some(({ programs }) => programs.some(({ words: [name = ""] }) => CHANGING.has(name)));
  } catch (error) {
    if (error instanceof RangeError) return true;
    throw error;
  }
}

interface Way { name: string; attach?: "nic" | "xdp"; driver: string; workers: number; skip: string | false }

const RING = ringProblem() ?? false;
const XDP = lackingXdp();
const WAYS: readonly Way[] = [
  { name: "TAPs, read and write", driver: "tap", workers: 1, skip: false },
  { name: "TAPs, read and write, two workers", driver: "tap", workers: 2, skip: false },
  { name: "TAPs, io_uring", driver: "uring", workers: 1, skip: RING },
  { name: "TAPs, io_uring, two workers", driver: "uring", workers: 2, skip: RING },
  { name: "packet sockets, read and write", attach: "nic", driver: "tap", workers: 1, skip: false },
  { name: "packet sockets, io_uring, two workers", attach: "nic", driver: "uring", workers: 2, skip: RING },
  { name: "packet sockets and AF_XDP", attach: "nic", driver: "auto", workers: 1, skip: XDP || RING },
  { name: "AF_XDP", attach: "xdp", driver: "auto", workers: 1, skip: XDP },
  { name: "AF_XDP, two workers", attach: "xdp", driver: "auto", workers: 2, skip: XDP },
];

interface PortFields { name: string; mac: string }

/** A director tells a segment of its addresses, when its device comes up; the recorded kernel had done so before. */
function isAnnouncement(frame: Buffer): boolean {
  const isArpToAll = frame.readUIntBE(0, 6) === 0xffffffffffff && frame.readUInt16BE(12) === 0x0806;
  return isArpToAll || (frame.readUInt16BE(0) === 0x3333 && frame.readUInt16BE(12) === 0x86dd && frame[20] === 58 && frame[54] === 136);
}

const bridge = (port: string): string => `lan-${port}`;

/** A segment for each port, on which the test's own end stands for everybody else. */
class Segments {
  private readonly ends = new Map<string, TapEnd>();

  private constructor(readonly wire: Namespace, readonly director: Namespace) {}

  static async build(context: TestContext, way: Way): Promise<Segments> {
    const wire = await Namespace.create("lvs-recordings-wire");
    context.after(() => wire.close());
    const director = await Namespace.create("lvs-recordings-director");
    context.after(() => director.close());
    const segments = new Segments(wire, director);
    const { ports } = parse(readFileSync(DIRECTOR, "utf8")) as { ports: PortFields[] };
    for (const { name, mac } of ports) segments.lay(context, way, name, mac);
    return segments;
  }

  private lay(context: TestContext, way: Way, port: string, mac: string): void {
    const { wire, director } = this;
    wire.ip([`link add name ${bridge(port)} type bridge stp_state 0 mcast_snooping 0`, `link set dev ${bridge(port)} up`]);
    const end = new TapEnd({ name: `far-${port}`, namespacePath: wire.path }, mac);
    context.after(() => end.close());
    this.ends.set(port, end);
    wire.ip([`link set dev far-${port} master ${bridge(port)} up`]);
    if (!way.attach) return;
    const queues = `numtxqueues ${way.workers} numrxqueues ${way.workers}`;
    wire.ip([
      `link add name to-${port} ${queues} type veth peer name ${port} ${queues} netns ${director.pid}`,
      `link set dev to-${port} master ${bridge(port)} up`,
    ]);
    // By AF_XDP a port has its NIC's hardware address; beside a socket it has one of its own.
    director.ip([...(way.attach === "xdp" ? [`link set dev ${port} address ${mac}`] : []), `link set dev ${port} up`]);
  }

  send(port: string, frame: Buffer): void {
    this.ends.get(port)?.send(frame);
  }

  /** So many frames, or what has come when it takes too long; "PORT HEX", masked. */
  async receive(count: number, longestMs = ANSWER_MS): Promise<string[]> {
    const frames: string[] = [];
    for (const deadlineMs = Date.now() + longestMs; frames.length < count && Date.now() < deadlineMs; await pause(LOOK_MS)) {
      for (const [port, end] of this.ends) {
        for (let frame = end.take(); frame; frame = end.take()) {
          if (!isChatter(frame) && !isAnnouncement(frame)) frames.push(`${port} ${maskedFrame(frame.toString("hex"))}`);
        }
      }
    }
    return frames.sort();
  }
}

/** What `ip` does in a recording is not in these. */
const refuse = async (): Promise<never> => assert.fail("a recording that changes the network");
const UNCHANGED: NetworkChanges = {
  setMtu: refuse, addAddress: refuse, addNeighbor: refuse, addRoute: refuse, addLocalSubnet: refuse, clearMarks: refuse,
};

/** How a port takes its frames: an AF_XDP port's hardware address is its NIC's, and it is asked to route what is sent to that. */
function attachment({ attach }: Way, mac: string): object {
  if (attach === "xdp") return { attach, gateway: true };
  return attach ? { attach, mac } : { mac };
}

/** lvsd with the recordings' network on these segments. */
async function direct(context: TestContext, { wire, director }: Segments, way: Way): Promise<SocketDirector> {
  const folder = makeFolder(context);
  const [socketPath, file] = [join(folder, "lvsd.sock"), join(folder, "lvsd.yaml")];
  const network = parse(readFileSync(DIRECTOR, "utf8")) as { ports: PortFields[] };
  const ports = network.ports.map(({ mac, ...port }) => ({ ...port, device: port.name, ...attachment(way, mac) }));
  writeFileSync(file, stringify({ ...network, ports, "driver": way.driver, "workers": way.workers, "control-socket": socketPath }));
  const lvsd = await Lvsd.start(way.attach ? director : wire, ["--config", file]);
  context.after(() => { lvsd.child.kill("SIGTERM"); return ended(lvsd.child); });
  assert.ok(lvsd.isReady, lvsd.log);
  if (!way.attach) wire.ip([...PORTS].map((port) => `link set dev ${port} txqueuelen 2000 master ${bridge(port)} up`));
  return new SocketDirector(socketPath);
}

async function perform(event: RecordedEvent, segments: Segments, director: SocketDirector, files: Map<string, string>): Promise<void> {
  if (event.ev === "in") return segments.send(event.if ?? "", Buffer.from(event.hex ?? "", "hex"));
  const result = await runScript(readScript(event.cmd ?? ""), { director, files, network: UNCHANGED });
  assert.deepEqual([result.exitCode, result.stderr], [event.rc, event.stderr], event.cmd);
}

async function play(context: TestContext, segments: Segments, way: Way, name: string): Promise<void> {
  const director = await direct(context, segments, way);
  await segments.receive(Infinity, END_MS); // what another left on the wire
  const events = readRecording(name);
  const files = new Map<string, string>();
  let compared = 0;
  for (const [index, event] of events.entries()) {
    if (event.ev !== "in" && event.ev !== "cmd") continue;
    const kernel = outputsAfter(events, index);
    await perform(event, segments, director, files);
    if (kernel.length === 0) await pause(event.ev === "in" ? SILENCE_MS : 0);
    else assert.deepEqual(await segments.receive(kernel.length), kernel, `event ${index}: ${event.hex ?? event.cmd}`);
    compared += kernel.length;
  }
  assert.deepEqual(await segments.receive(Infinity, END_MS), [], "frames that the kernel did not send");
  assert.ok(compared > 0, "nothing came out");
}

inNamespaces("recordings over wires", import.meta.url, () => {
  for (const way of WAYS) {
    it(way.name, { skip: way.skip }, async (context) => {
      const outer = context as TestContext;
      const segments = await Segments.build(outer, way);
      for (const name of RECORDINGS) await outer.test(name, (inner) => play(inner as TestContext, segments, way, name));
    });
  }
});
