// The laboratory's story: a director with real servers behind it, told while it happens.

import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { SocketDirector } from "../cli/client.js";
import { NO_NAMES } from "../cli/context.js";
import { banner, listServices, Writer } from "../cli/print.js";
import type { Method } from "./addresses.js";
import { Client } from "./client.js";
import { LabDirector, labRules } from "./director.js";
import { Door } from "./door.js";
import { Network, SERVICE_URL } from "./network.js";
import { formatRewriting, readRewriting } from "./rewriting.js";
import type { SniffedFrame } from "./sniffer.js";

const SERVERS = 3;
const FIRST_REQUESTS = 12;
/** Steady requests while the laboratory stands, so that the table lives. */
const STEADY_PAUSE_MS = 100;
const TABLE_PAUSE_MS = 1000;
const SETTLE_MS = 100;
/** Far more than one request's, which is all that is shown. */
const FRAMES_MAX = 200;
/** Back to the first line of what was drawn last, and everything below wiped. */
const redraw = (lines: number): string => (lines === 0 ? "" : `\x1b[${lines}A\x1b[J`);

export interface StoryOptions {
  method: Method;
  socketPath: string;
  /** Undefined: until somebody ends it. */
  seconds: number | undefined;
  doorPort: number;
  say(text: string): void;
  /** A terminal's table is drawn in place; anything else gets it once. */
  isTerminal: boolean;
  until: AbortSignal;
}

interface Tally { requests: number; succeeded: number; servers: Record<string, number>; failures: Record<string, number> }

/** Runs the laboratory; answers true when every request was answered. */
export async function tellStory(options: StoryOptions): Promise<boolean> {
  const network = await Network.build(options.method, SERVERS);
  let director: LabDirector | undefined;
  try {
    await network.startServers();
    director = await LabDirector.start(network, options.socketPath, labRules(options.method, SERVERS));
    return await perform(network, options);
  } finally {
    await director?.stop();
    await network.stop();
  }
}

async function perform(network: Network, options: StoryOptions): Promise<boolean> {
  const { say, method } = options;
  const client = await Client.start(network);
  say(`A laboratory in network namespaces: a client, the director and ${network.servers.length || "no"} real servers (${method}).\n`);
  say(await drawTable(options, "plain"));
  const frames = await watch(network);
  const first = await client.request({ url: `${SERVICE_URL}/`, count: FIRST_REQUESTS });
  await pause(SETTLE_MS);
  say(`${first.succeeded} of ${first.requests} requests to ${SERVICE_URL} answered: ${countText(first.servers)}`);
  say(`\nHow one packet was rewritten, as seen on the director's wires:\n\n${formatRewriting(readRewriting(frames, method))}\n`);
  const door = await openDoor(client, options);
  const tally: Tally = { requests: first.requests, succeeded: first.succeeded, servers: { ...first.servers }, failures: { ...first.failures } };
  await stand(client, tally, options, door?.url);
  door?.close();
  const lost = tally.requests - tally.succeeded;
  say(`${tally.requests} requests, ${lost} not answered${lost === 0 ? "" : ` (${countText(tally.failures)})`}: ${countText(tally.servers)}`);
  return lost === 0;
}

function countText(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts).sort().map(([name, count]) => `${name} ${count}`).join(", ") || "nobody";
}

async function watch(network: Network): Promise<SniffedFrame[]> {
  const frames: SniffedFrame[] = [];
  const inWire = network.taps.filter((tap) => tap.namespacePath === network.wire.path).map((tap) => tap.name);
  const inDirector = network.taps.filter((tap) => tap.namespacePath !== network.wire.path).map((tap) => tap.name);
  for (const [namespace, names] of [[network.wire, inWire], [network.director, inDirector]] as const) {
    if (names.length === 0) continue;
    const program = await network.start(namespace, "sniffer", "sniffer.js", names);
    if (!program.child.stdout) continue;
    createInterface({ input: program.child.stdout }).on("line", (line) => {
      if (frames.length < FRAMES_MAX) frames.push(JSON.parse(line) as SniffedFrame);
    });
  }
  return frames;
}

async function openDoor(client: Client, options: StoryOptions): Promise<Door | undefined> {
  try {
    const door = await Door.open(client, { port: options.doorPort });
    options.say(`Front door: ${door.url} (a browser, or: curl ${door.url})`);
    options.say(`In another terminal: npx lvsadm -Ln${options.seconds === undefined ? "     Control-C ends everything." : ""}\n`);
    return door;
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === "EADDRINUSE" ? "taken" : (error as Error).message;
    options.say(`No front door: port ${options.doorPort} of 127.0.0.1 is ${why}. Choose another with --port.\n`);
    return undefined;
  }
}

/** Keeps the service busy until the time is over or somebody ends it. */
async function stand(client: Client, tally: Tally, options: StoryOptions, url: string | undefined): Promise<void> {
  const endMs = options.seconds === undefined ? Infinity : Date.now() + options.seconds * 1000;
  let drawnMs = 0;
  let drawnLines = 0;
  while (!options.until.aborted && Date.now() < endMs) {
    const report = await client.request({ url: `${SERVICE_URL}/` });
    tally.requests += report.requests;
    tally.succeeded += report.succeeded;
    for (const [name, count] of Object.entries(report.servers)) tally.servers[name] = (tally.servers[name] ?? 0) + count;
    for (const [name, count] of Object.entries(report.failures)) tally.failures[name] = (tally.failures[name] ?? 0) + count;
    if (options.isTerminal && Date.now() - drawnMs >= TABLE_PAUSE_MS) {
      drawnMs = Date.now();
      const text = `${await drawTable(options, "stats")}\n${tally.succeeded} of ${tally.requests} requests answered. ${url ?? ""}  Control-C ends.`;
      options.say(`${redraw(drawnLines)}${text}`);
      drawnLines = text.split("\n").length;
    }
    await pause(STEADY_PAUSE_MS, undefined, { signal: options.until }).catch(() => undefined);
  }
  if (!options.isTerminal) options.say(await drawTable(options, "stats"));
}

async function drawTable(options: StoryOptions, view: "plain" | "stats"): Promise<string> {
  const director = new SocketDirector(options.socketPath);
  const table = await director.request({ do: "table" });
  if (!table.ok) return `the table cannot be read: ${table.error}`;
  const writer = new Writer(true, NO_NAMES);
  const plain = banner(table.value.size) + await listServices(table.value.services, new Set(), writer);
  if (view === "plain") return plain;
  return plain + "\n" + await listServices(table.value.services, new Set(["stats"]), writer);
}

