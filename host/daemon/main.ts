#!/usr/bin/env node
// lvsd: the director. Runs in the foreground; a service manager or `&` does the rest.

import meow from "meow";
import pino from "pino";
import { defaultSocketPath, systemNames } from "../cli/system.js";
import { loadEngine } from "../load.js";
import { replayCommand } from "../replay/command.js";
import { ScenarioError } from "../replay/scenario.js";
import { readConfig, type Config } from "../config/config.js";
import { ConfigError } from "../config/locator.js";
import { counted } from "../engine/counted.js";
import { Daemon } from "./daemon.js";
import { missingGateways } from "./gateways.js";
import { wantedOf } from "./reload.js";
import { NO_WORKERS, workers, type WorkersChoice } from "../config/schema.js";
import { UsageError } from "../config/usage.js";
import { countWorkers } from "./workers.js";

const EXIT_USAGE = 2;
const EXIT_FAILED = 1;

const FLAGS = {
  help: { type: "boolean", shortFlag: "h" },
  config: { type: "string", shortFlag: "c" },
  socket: { type: "string" },
  workers: { type: "string" },
  verbose: { type: "boolean", shortFlag: "v", default: false },
  pcap: { type: "string", isMultiple: true },
  write: { type: "string", isMultiple: true },
} as const;

const cli = meow(`
  Usage
    lvsd --config FILE                                  run the director
    lvsd check FILE                                     check a configuration, start nothing
    lvsd replay --config FILE SCENARIO.jsonl            recorded inputs through the engine (- is standard input)
    lvsd replay --config FILE --pcap PORT=IN ... --write PORT=OUT

  Options
    --config, -c FILE    configuration (YAML)
    --socket PATH        control socket, instead of the configuration's
    --workers N          threads of the data plane, or "auto": one for each processor; instead of the configuration's
    --verbose, -v        say what happens, not only what goes wrong
    --pcap PORT=FILE     frames into a port, from a capture
    --write PORT=FILE    frames out of a port, into a capture
    --help, -h           this text
    --version            the version

  Signals
    TERM, INT  stop      HUP  read the configuration again and apply the difference
`, { importMeta: import.meta, flags: FLAGS });

// `lvsd replay ... | head`: nobody reads on, so there is nothing left to do.
process.stdout.on("error", () => process.exit(0));

/** In our own words, as every other mistake; what is known is told by its long name. */
function refuseUnknown(): void {
  const known = new Set<string>([...Object.keys(FLAGS), ...Object.values(FLAGS).flatMap((flag) => ("shortFlag" in flag ? [flag.shortFlag] : []))]);
  const unknown = Object.keys(cli.unnormalizedFlags).find((name) => !known.has(name));
  if (unknown !== undefined) throw new UsageError(`there is no option ${unknown.length === 1 ? "-" : "--"}${unknown}; see lvsd --help`);
}

async function run(): Promise<void> {
  refuseUnknown();
  // By itself the library sees it only where nothing else stands beside it.
  if (cli.flags.help) cli.showHelp(0);
  const [verb, ...rest] = cli.input;
  switch (verb) {
    case undefined: return serve();
    case "check": return check(onlyOne(rest) ?? cli.flags.config);
    case "replay":
      return replayCommand({ config: needConfig(), scenario: onlyOne(rest), captures: cli.flags.pcap ?? [], writes: cli.flags.write ?? [] });
    default: throw new UsageError(`there is no command "${verb}"; see lvsd --help`);
  }
}

function onlyOne([word, ...more]: readonly string[]): string | undefined {
  if (more.length > 0) throw new UsageError(`one file at a time: "${more.join(" ")}" is too much; see lvsd --help`);
  return word;
}

function needConfig(): string {
  if (!cli.flags.config) throw new UsageError("--config FILE is missing; see lvsd --help");
  return cli.flags.config;
}

function wantedWorkers(): WorkersChoice | undefined {
  if (cli.flags.workers === undefined) return undefined;
  const read = workers.safeParse(cli.flags.workers);
  if (!read.success) throw new UsageError(`--workers ${cli.flags.workers} ${NO_WORKERS}`);
  return read.data;
}

async function check(file: string | undefined): Promise<void> {
  if (file === undefined) throw new UsageError("check needs the configuration's file");
  const config = readConfig(file);
  const { table } = await wantedOf(await loadEngine(), config, systemNames());
  requireMemory(config);
  for (const problem of await missingGateways(config, systemNames())) process.stderr.write(`lvsd: ${problem}\n`);
  const servers = table.services.reduce((sum, service) => sum + service.servers.length, 0);
  process.stdout.write(`${file}: good; ${counted(table.services.length, "service")}, ${counted(servers, "server")}\n`);
}

function requireMemory({ file, workers: choice, tableBits }: Config): void {
  try {
    countWorkers(choice, tableBits);
  } catch (error) {
    throw new ConfigError([`${file}: ${(error as Error).message}`]);
  }
}

async function serve(): Promise<void> {
  const config = readConfig(needConfig());
  const log = pino({ name: "lvsd", level: cli.flags.verbose ? "info" : config.logLevel }, pino.destination({ dest: 2, sync: true }));
  // HUP may come while the director is starting: it must not end it, and what it asks for is done then. TERM ends it at once, in a
  // container too, where the first process hears no signal but those that it asks for; the kernel takes back what was opened.
  let started: Daemon | undefined;
  let isReloadWanted = false;
  let isStopping = false;
  const stop = (): void => {
    if (!started) process.exit(0);
    if (isStopping) return;
    isStopping = true;
    started.stop().then(() => process.exit(0), fail);
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  process.on("SIGHUP", () => {
    isReloadWanted = true;
    void started?.reload();
  });
  const daemon = await Daemon.start({
    config, log, isVerbose: cli.flags.verbose, workers: wantedWorkers(), socketPath: cli.flags.socket ?? config.socketPath ?? defaultSocketPath(),
    onFailure: (reason) => {
      log.fatal({ reason }, "the director cannot go on");
      process.exit(EXIT_FAILED);
    },
  });
  started = daemon;
  process.stdout.write("ready\n");
  if (isReloadWanted) void daemon.reload();
}

/** Says in words what went wrong, each line by the program's name, and ends it. */
function fail(error: unknown): never {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${message.split("\n").map((line) => `lvsd: ${line}`).join("\n")}\n`);
  const isMisuse = error instanceof ConfigError || error instanceof UsageError || error instanceof ScenarioError;
  process.exit(isMisuse ? EXIT_USAGE : EXIT_FAILED);
}

run().catch(fail);
