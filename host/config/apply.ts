// A configuration put into an engine: ports, addresses, routes, neighbours, marks, settings, rules.

import { LocalKind, PortFlag } from "../../assembly/abi/enums.js";
import type { Director } from "../protocol.js";
import { NO_NAMES, type Names } from "../cli/context.js";
import { runIpvsadm } from "../cli/ipvsadm.js";
import { splitWords } from "../cli/words.js";
import type { Performer } from "../engine/engine.js";
import { addLocal, addLocalSubnet, addMark, addNeighbor, addRoute, clearMarks, setHelperPorts, setPort, setSysctl, startDaemon } from "../engine/requests.js";
import { SYSCTLS } from "../engine/names.js";
import type { Config, PortConfig } from "./config.js";
import { ConfigError, type RuleLine } from "./locator.js";

/** What the engine is told about a port: its driver decides about virtio headers and segments. */
export interface PortMode { flags: number; peerMac?: string }

const PLAIN: PortMode = { flags: PortFlag.Up };

/** Everything below the rules. `modeOf` says what a port's driver can do. */
export async function applyNetwork(engine: Performer, config: Config, modeOf: (port: PortConfig) => PortMode = () => PLAIN): Promise<void> {
  const problems: string[] = [];
  const check = async (code: number | Promise<number>, what: string): Promise<void> => {
    if ((await code) < 0) problems.push(`${config.file}: the engine refuses ${what}`);
  };
  for (const port of config.ports) {
    const mode = modeOf(port);
    await check(setPort(engine, port.index, port.mac, port.mtu, mode.flags, mode.peerMac ?? port.peerMac), `port ${port.name}`);
    for (const address of port.addresses) await check(addLocal(engine, port.index, address), `address ${address} of port ${port.name}: it is there already`);
  }
  for (const net of config.transparent) await check(addLocalSubnet(engine, 0, net, LocalKind.Transparent), `the transparent net ${net}`);
  for (const one of config.neighbors) await check(addNeighbor(engine, one.port, one.address, one.mac), `neighbour ${one.address}`);
  for (const one of config.routes) await check(addRoute(engine, one.port, one.to, one.via), `the route to ${one.to}`);
  await check(applyMarks(engine, config), "the marks: there are too many");
  await check(setHelperPorts(engine, config.ftpPorts), `ftp-ports ${config.ftpPorts.join(", ")}`);
  for (const [name, value] of Object.entries(config.sysctls)) {
    const sysctl = SYSCTLS.get(name);
    if (sysctl !== undefined) await check(setSysctl(engine, sysctl, value[0] ?? 0, value[1]), `sysctl ${name}`);
  }
  for (const { spec, port } of config.daemons) await check(startDaemon(engine, spec, port), `the sync ${spec.role}`);
  if (problems.length > 0) throw new ConfigError(problems);
}

/** Puts the configuration's marks in the place of those that are there; below zero when one is refused. */
export async function applyMarks(engine: Performer, config: Config): Promise<number> {
  let code = await clearMarks(engine);
  for (const mark of config.marks) if (code >= 0) code = await addMark(engine, mark.rule, mark.port);
  return code;
}

/** Runs the rules in their order; each that fails is told with its line. */
export async function applyRules(director: Director, rules: readonly RuleLine[], names: Names = NO_NAMES): Promise<void> {
  const problems: string[] = [];
  for (const rule of rules) {
    const problem = await applyRule(director, rule, names);
    if (problem !== undefined) problems.push(`${rule.where}: ${problem} (${rule.text.trim()})`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
}

/** A rule's words, as they stand behind ipvsadm's name. Throws a RangeError for a quotation mark that is not closed. */
export function wordsOf(rule: RuleLine): string[] {
  const words = splitWords(rule.text);
  return words[0] === "ipvsadm" ? words.slice(1) : words;
}

async function applyRule(director: Director, rule: RuleLine, names: Names): Promise<string | undefined> {
  let words: string[];
  try {
    words = wordsOf(rule);
  } catch (error) {
    return (error as Error).message;
  }
  if (!["-A", "-a", "--add-service", "--add-server"].includes(words[0] ?? "")) return "a rule adds a service (-A) or a server (-a)";
  const result = await runIpvsadm(words, { director, names, program: "ipvsadm", input: async () => "" });
  return result.exitCode === 0 ? undefined : result.stderr.trim();
}
