// Captures of interfaces with tcpdump, and tshark's judgement of every checksum in them.

import assert from "node:assert/strict";
import { spawnSync, type ChildProcess } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import type { Namespace } from "../../host/lab/namespace.js";
import { ended } from "../../host/lab/process.js";
import { lacking } from "./inside.js";
import { until } from "./rig.js";

const START_MS = 30_000;
/** The kernel collects what it has seen for up to a second; a file that has not grown for so long has all of it. */
const DRAIN_MS = 1500;
const DRAINED_MS = 30_000;
const JUDGE_MS = 120_000;

// tcpdump gives up its rights when it starts, which the root of a small user namespace cannot: there dumpcap captures.
const isWholeRoot = /\b4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "utf8"));

/** Why nothing can be captured or judged here; false when it can. */
export const cannotCapture = lacking(isWholeRoot ? "tcpdump" : "dumpcap", "tshark", "ethtool");

/** One interface being captured into a file. */
export class Capture {
  private constructor(private readonly child: ChildProcess, readonly file: string, private readonly said: () => string) {}

  static async start(namespace: Namespace, interfaceName: string, file: string): Promise<Capture> {
    const words = isWholeRoot
      ? ["tcpdump", "-i", interfaceName, "-s", "0", "-U", "-B", "16384", "-Z", "root", "-w", file]
      : ["dumpcap", "-q", "-P", "-B", "16", "-i", interfaceName, "-w", file];
    const child = namespace.spawn("setpriv", ["--pdeathsig", "TERM", ...words], ["ignore", "ignore", "pipe"]);
    let text = "";
    const began = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${words[0]} is silent`)), START_MS);
      child.stderr?.setEncoding("utf8").on("data", (part: string) => {
        text += part;
        if (!/listening on|File: /.test(text)) return;
        clearTimeout(timer);
        resolve();
      });
      child.once("error", reject);
      child.once("close", () => reject(new Error(`${words[0]} ended: ${text}`)));
    });
    await began;
    return new Capture(child, file, () => text);
  }

  /** Ends it. A capture with holes would prove nothing: none may have been dropped. */
  async stop(): Promise<void> {
    let [bytes, grownMs] = [0, Date.now()];
    await until(() => {
      const { size } = statSync(this.file);
      if (size !== bytes) [bytes, grownMs] = [size, Date.now()];
      return Date.now() - grownMs >= DRAIN_MS;
    }, DRAINED_MS);
    this.child.kill("SIGINT");
    await ended(this.child);
    await until(() => /dropped/.test(this.said())); // its last words may come after its end
    const dropped = /(\d+) packets dropped by kernel/.exec(this.said())?.[1] ?? /received\/dropped.*: \d+\/(\d+)/.exec(this.said())?.[1];
    assert.equal(dropped, "0", `the capture is not whole: ${this.said()}`);
  }
}

/** Checksums of a capture by protocol, and what kinds of packets were in it. */
export interface Judgement { bad: string[]; good: Record<string, number>; kinds: Record<string, number> }

const CHECKSUMS = ["ip", "tcp", "udp", "icmp"];
/** Tells a wrong frame from others: which way it went, and how far. */
const PLACE = [
  "eth.src", "eth.dst", "ip.src", "ip.dst", "ip.ttl", "ip.len",
  "tcp.srcport", "tcp.dstport", "tcp.seq_raw", "tcp.checksum", "tcp.checksum_calculated",
];
const FIELDS = [...CHECKSUMS.map((name) => `${name}.checksum.status`), "ip.proto", "ip.flags.mf", "ip.frag_offset", "icmp.type", ...PLACE];
const QUOTING = /^(3|4|5|11|12)\b/;
/** Zero has two forms in one's complement (RFC 1624): a sender's kernel may write either, tshark wants one. */
const OTHER_ZERO = "\t0xffff\t0x0000";
const BAD = "0";
const GOOD = "1";

/** Lets tshark check every checksum: headers, TCP, UDP and ICMP, inside of tunnels too. */
export function judge(file: string): Judgement {
  const words = ["-r", file, "-T", "fields", ...["ip", "tcp", "udp"].flatMap((name) => ["-o", `${name}.check_checksum:TRUE`])];
  const done = spawnSync("tshark", [...words, ...FIELDS.flatMap((name) => ["-e", name])], { encoding: "utf8", timeout: JUDGE_MS, maxBuffer: 1 << 28 });
  assert.equal(done.status, 0, done.stderr);
  const judgement: Judgement = { bad: [], good: {}, kinds: {} };
  const count = (counts: Record<string, number>, name: string): void => void (counts[name] = (counts[name] ?? 0) + 1);
  done.stdout.split("\n").forEach((line, index) => {
    const cells = line.split("\t");
    const [protocols = "", more = "", offsets = "", types = ""] = cells.slice(CHECKSUMS.length);
    CHECKSUMS.forEach((name, column) => {
      // What an ICMP error quotes keeps its own checksum under NAT, as the kernel leaves it: nobody checks it.
      if (QUOTING.test(types) && (name === "tcp" || name === "udp")) return;
      for (const status of (cells[column] ?? "").split(",")) {
        if (status === BAD && !(name === "tcp" && line.endsWith(OTHER_ZERO))) {
          judgement.bad.push(`frame ${index + 1}: ${name}: ${cells.slice(-PLACE.length).join(" ")}`);
        }
        if (status === GOOD) count(judgement.good, name);
      }
    });
    if (protocols.split(",")[0] === "4") count(judgement.kinds, "tunnel");
    if (more.includes("1") || offsets.split(",").some((offset) => Number(offset) > 0)) count(judgement.kinds, "fragment");
    for (const type of types.split(",")) if (type !== "") count(judgement.kinds, `icmp ${type}`);
  });
  return judgement;
}
