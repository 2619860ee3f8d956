// `ip` as scenarios call it: a link's MTU, addresses, neighbours, routes, subnets made local.

import { LocalKind } from "../../assembly/abi/enums.js";
import type { CommandResult } from "../cli/context.js";
import type { NetworkChanges } from "./context.js";

const DONE: CommandResult = { exitCode: 0, stdout: "", stderr: "" };
const REFUSED: CommandResult = { exitCode: 2, stdout: "", stderr: "RTNETLINK answers: Invalid argument\n" };

type Groups = Record<string, string | undefined>;
interface Form { words: RegExp; change(said: Groups, network: NetworkChanges): Promise<boolean> }

const MTU: Form = {
  words: /^link set (?:dev )?(?:(?<before>[\w.-]+) mtu (?<after>\d+)|mtu (?<bytes>\d+) dev (?<port>[\w.-]+))$/,
  change: (said, network) => network.setMtu(said["before"] ?? said["port"] ?? "", Number(said["after"] ?? said["bytes"])),
};

const FORMS: readonly Form[] = [
  {
    words: /^(?:-6 )?addr(?:ess)? add (?<prefix>[\w.:]+\/\d+) dev (?<port>[\w.-]+)(?: nodad)?$/,
    change: ({ port = "", prefix = "" }, network) => network.addAddress(port, prefix),
  },
  {
    words:
      /^(?:-6 )?neigh(?:bour)? (?:add|replace) (?<address>[\w.:]+) lladdr (?<mac>(?:[0-9a-f]{2}:){5}[0-9a-f]{2}) dev (?<port>[\w.-]+)(?: nud permanent)?$/i,
    change: ({ port = "", address = "", mac = "" }, network) => network.addNeighbor(port, address, mac),
  },
  // The same in a table of its own is what only marked packets look into.
  {
    words: /^(?:-6 )?route add local (?<prefix>[\w.:]+\/\d+) dev lo(?<table> table \d+)?$/,
    change: ({ prefix = "", table }, network) => network.addLocalSubnet(prefix, table === undefined ? LocalKind.Whole : LocalKind.Transparent),
  },
  {
    words: /^(?:-6 )?route add (?<prefix>[\w.:]+\/\d+)(?: via (?<gateway>[\w.:]+))? dev (?<port>(?!lo\b)[\w.-]+)$/,
    change: ({ port = "", prefix = "", gateway }, network) => network.addRoute(port, prefix, gateway),
  },
  // Which marks look into a table is for the services to say: only a mark's service serves such a packet.
  { words: /^(?:-6 )?rule add fwmark \d+ (?:lookup|table) \d+$/, change: async () => true },
];

export const isIp = (words: readonly string[]): boolean => [MTU, ...FORMS].some((form) => form.words.test(words.join(" ")));

export async function runIp(words: readonly string[], network: NetworkChanges): Promise<CommandResult> {
  const text = words.join(" ");
  const link = MTU.words.exec(text)?.groups;
  if (link) return (await MTU.change(link, network)) ? DONE : { exitCode: 1, stdout: "", stderr: `Cannot find device "${link["before"] ?? link["port"]}"\n` };
  const form = FORMS.find((one) => one.words.test(text));
  const said = form?.words.exec(text)?.groups ?? {};
  return (await form?.change(said, network)) === true ? DONE : REFUSED;
}
