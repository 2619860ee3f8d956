// A network namespace of our own. It lives exactly as long as the small process that holds it, and that
// process ends when its standard input does: so whatever ends us ends the namespace, even SIGKILL.

import { spawn, spawnSync, type ChildProcess, type StdioOptions } from "node:child_process";
import { ended, firstLine } from "./process.js";

// Says when it is inside, then waits for the end of its input, by what every shell has built in.
const HOLD = "echo inside; while read -r line; do :; done";
// Router and multicast chatter of IPv6 would only disturb the frames we watch; and a bridge is a bridge:
// no packet filter shall put fragments together in it.
const QUIET = {
  "net.ipv6.conf.all.disable_ipv6": 1,
  "net.ipv6.conf.default.disable_ipv6": 1,
  "net.bridge.bridge-nf-call-iptables": 0,
  "net.bridge.bridge-nf-call-ip6tables": 0,
  "net.bridge.bridge-nf-call-arptables": 0,
};
// Parts that a kernel may lack, and then have nothing to set.
const OPTIONAL = /^net\.(ipv6|bridge)\./;
// Bounds, not waits: a machine may lend its processors to others for seconds.
const START_MS = 30_000;
const COMMAND_MS = 60_000;

/** A network namespace, found by the process that holds it. */
export class Namespace {
  private constructor(readonly name: string, private readonly holder: ChildProcess, readonly pid: number) {}

  /** Makes an empty namespace: no interface but a loopback that is up, no IPv6. */
  static async create(name: string): Promise<Namespace> {
    // The name is the shell's $0: it is what `ps` shows.
    const holder = spawn("unshare", ["--net", "sh", "-c", HOLD, name], { stdio: ["pipe", "pipe", "pipe"] });
    await firstLine(holder, `namespace ${name}`, START_MS);
    if (holder.pid === undefined) throw new Error(`namespace ${name}: its process has no number`);
    const namespace = new Namespace(name, holder, holder.pid);
    try {
      namespace.set(QUIET);
      namespace.ip(["link set lo up"]);
      return namespace;
    } catch (error) {
      await namespace.close();
      throw error;
    }
  }

  /** What setns(2) and nsenter(1) take. */
  get path(): string {
    return `/proc/${this.pid}/ns/net`;
  }

  /** Runs lines of `ip` here, stopping at the first that fails. */
  ip(lines: readonly string[]): void {
    const failure = this.tryIp(lines);
    if (failure !== "") throw new Error(`${this.name}: ip ${lines.length === 1 ? lines[0] : "-batch"}: ${failure}`);
  }

  /** As ip(), but answers what went wrong, "" when nothing did. */
  tryIp(lines: readonly string[]): string {
    const done = this.run("ip", ["-batch", "-"], lines.join("\n"));
    return done.status === 0 ? "" : (done.stderr || `ended with status ${done.status}`).trim();
  }

  /** What `ip` prints here. */
  show(words: readonly string[]): string {
    return this.output("ip", words);
  }

  /** What a program prints here; it has to succeed. */
  output(program: string, words: readonly string[]): string {
    const done = this.run(program, words, "");
    if (done.status !== 0) throw new Error(`${this.name}: ${program} ${words.join(" ")}: ${done.stderr.trim()}`);
    return done.stdout;
  }

  /** Sets kernel parameters here; those of parts this kernel may lack are passed over. */
  set(parameters: Readonly<Record<string, number>>): void {
    // /proc/sys/net shows the namespace of whoever looks: the shell has to be inside.
    const lines = Object.entries(parameters).map(([name, value]) => {
      const file = `/proc/sys/${name.replaceAll(".", "/")}`;
      return OPTIONAL.test(name) ? `[ ! -e ${file} ] || echo ${value} > ${file}` : `echo ${value} > ${file}`;
    });
    const done = this.run("sh", ["-e"], `${lines.join("\n")}\n`);
    if (done.status !== 0) throw new Error(`${this.name}: set kernel parameters: ${done.stderr.trim()}`);
  }

  /** Starts a program inside. */
  spawn(program: string, words: readonly string[], stdio: StdioOptions): ChildProcess {
    return spawn("nsenter", [`--net=${this.path}`, program, ...words], { stdio });
  }

  /** Lets the namespace go; with its last process all its interfaces vanish. */
  async close(): Promise<void> {
    this.holder.stdin?.end();
    await ended(this.holder);
  }

  private run(program: string, words: readonly string[], input: string): { status: number | null; stdout: string; stderr: string } {
    const done = spawnSync("nsenter", [`--net=${this.path}`, program, ...words], { input, encoding: "utf8", timeout: COMMAND_MS });
    if (done.error) throw new Error(`${this.name}: ${program}: ${done.error.message}`);
    return done;
  }
}
