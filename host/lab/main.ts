// npm start: the director's main job with nothing to configure. Real servers in network namespaces; where
// those cannot be had, the same story in memory.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import meow from "meow";
import { defaultSocketPath } from "../cli/system.js";
import type { Method } from "./addresses.js";
import { canBuild, followOutside, runInside } from "./capability.js";
import { tellInMemory } from "./memory.js";
import { tellStory } from "./story.js";

const METHODS: readonly string[] = ["nat", "tun", "dr", "local"];
const EXIT_USAGE = 2;
const PORT_MAX = 65535;

const cli = meow(`
  Usage
    $ npm start -- [--method nat|tun|dr|local] [--for SECONDS] [--port PORT]

  --method   how packets reach the real servers (nat)
  --for      run that long, then end; without it until Control-C
  --port     the front door on 127.0.0.1 (8080)
  --memory   the story in memory, no namespaces
`, {
  importMeta: import.meta,
  allowUnknownFlags: false,
  flags: {
    help: { type: "boolean" },
    method: { type: "string", default: "nat" },
    for: { type: "number" },
    port: { type: "number", default: 8080 },
    memory: { type: "boolean", default: false },
  },
});

// A reader that has seen enough (head, less) closes the pipe: no reason to complain.
process.stdout.on("error", () => process.exit(0));
const say = (text: string): void => void process.stdout.write(`${text}\n`);

function refuse(text: string): never {
  process.stderr.write(`${text}\n`);
  process.exit(EXIT_USAGE);
}

async function run(): Promise<boolean> {
  // By itself the library sees it only where nothing else stands beside it.
  if (cli.flags.help) cli.showHelp(0);
  const { method, for: seconds, port, memory } = cli.flags;
  if (!METHODS.includes(method)) refuse(`--method ${method}: choose ${METHODS.join(", ")}`);
  if (seconds !== undefined && !(seconds > 0)) refuse("--for needs a number of seconds above 0");
  if (!(Number.isInteger(port) && port > 0 && port <= PORT_MAX)) refuse(`--port needs a number from 1 to ${PORT_MAX}`);
  const capability = memory ? { ok: false as const, why: "asked for with --memory" } : canBuild();
  if (!capability.ok) {
    say(`In memory, with simulated hosts: ${capability.why}.\n`);
    return tellInMemory(method as Method, say);
  }
  process.env["LVSD_SOCKET"] ??= defaultSocketPath();
  if (capability.needsUserNamespace) {
    return (await runInside([fileURLToPath(import.meta.url), ...process.argv.slice(2)], "machine")) === 0;
  }
  followOutside();
  const until = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => until.abort());
  const socketPath = freeSocket(process.env["LVSD_SOCKET"]);
  return tellStory({
    method: method as Method, seconds, doorPort: port, say, isTerminal: process.stdout.isTTY && seconds === undefined, until: until.signal,
    socketPath,
  });
}

/** A running director keeps its socket: ours then gets another, and says how to reach it. */
function freeSocket(path: string): string {
  if (!existsSync(path)) return path;
  const own = path.replace(/(\.sock)?$/, `-lab-${process.pid}.sock`);
  say(`${path} is in use; this director is reached by: npx lvsadm --socket ${own} -Ln\n`);
  return own;
}

run().then((good) => process.exit(good ? 0 : 1), (error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
