// Whether a laboratory can be built here, and the way in for an ordinary user.

import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { prctl } from "../io/sys/libc.js";

/** Yes, perhaps only inside a user namespace (runInside); or no, and why. */
export type Capability = { ok: true; needsUserNamespace: boolean } | { ok: false; why: string };

const INSIDE = "LVS_WASM_INSIDE";
const PR_SET_PDEATHSIG = 1;
const SIGTERM = 15;
const PROBE_MS = 60_000;
const USER = ["--user", "--map-root-user"];

// Everything a laboratory is made of, once, in a namespace that goes with the shell.
const PROBE = `
ip link add name lvs-bridge type bridge
ip link add name lvs-a type veth peer name lvs-b
ip tuntap add dev lvs-tap mode tap
`;

const WITH_LOOPBACK = 'ip link set lo up && exec "$@"';

/** Tries to make a bridge, a cable and a TAP in a throw-away namespace. */
export function canBuild(): Capability {
  if (process.platform !== "linux") return { ok: false, why: `network namespaces are Linux's; this is ${process.platform}` };
  for (const [tool, word, from] of [["ip", "-V", "iproute2"], ["unshare", "-V", "util-linux"], ["nsenter", "-V", "util-linux"]] as const) {
    if (spawnSync(tool, [word]).error) return { ok: false, why: `\`${tool}\` is not installed (package ${from})` };
  }
  try {
    accessSync("/dev/net/tun", constants.R_OK | constants.W_OK);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    return { ok: false, why: missing ? "there is no /dev/net/tun (modprobe tun)" : "/dev/net/tun is not open to this user" };
  }
  const direct = probe(["--net"]);
  if (direct === "") return { ok: true, needsUserNamespace: false };
  if (process.env[INSIDE] !== undefined) return { ok: false, why: direct };
  const nested = probe([...USER, "--net"]);
  if (nested === "") return { ok: true, needsUserNamespace: true };
  return { ok: false, why: `neither root nor user namespaces: ${nested}` };
}

/** Where a program runs again: in the machine's network, or in an empty one with a loopback. */
export type Around = "machine" | "empty";

/**
 * Runs this very program again as the root of a user namespace of its own, and answers its status.
 * In the machine's network it can listen on the machine's loopback, but cannot leave that network and
 * come back (inNamespace): only a network of its own allows that.
 */
export function runInside(words: readonly string[], around: Around): Promise<number> {
  const program = [process.execPath, ...process.execArgv, ...words];
  const kinds = around === "empty" ? [...USER, "--net", "sh", "-c", WITH_LOOPBACK, "sh"] : USER;
  const child = spawn("unshare", [...kinds, ...program], { stdio: "inherit", env: { ...process.env, [INSIDE]: "1" } });
  const pass = (signal: NodeJS.Signals): void => { child.kill(signal); };
  const leave = (): void => undefined; // the terminal tells the child itself
  process.on("SIGINT", leave);
  process.on("SIGTERM", pass);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => {
      process.off("SIGTERM", pass);
      process.off("SIGINT", leave);
      resolve(code ?? 1);
    });
  });
}

/** Inside: end when the program outside does, however it ends. Call it first. */
export function followOutside(): void {
  if (process.env[INSIDE] !== undefined) prctl(PR_SET_PDEATHSIG, SIGTERM);
}

function probe(kinds: readonly string[]): string {
  const done = spawnSync("unshare", [...kinds, "sh", "-e"], { input: PROBE, encoding: "utf8", timeout: PROBE_MS });
  return done.status === 0 ? "" : done.stderr.trim() || `unshare ended with status ${done.status}`;
}
