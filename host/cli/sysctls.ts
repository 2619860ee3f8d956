// Kernel settings below net.ipv4.vs that have no meaning here, and why. They can be read nowhere and set nowhere.

import { wholeNumber } from "./endpoints.js";

const ESTIMATOR = "rates are estimated by the engine itself, by no kernel thread";

export const ABSENT: Readonly<Record<string, string>> = {
  conntrack: "packets do not pass a kernel's connection tracking",
  debug_level: "the engine does not log; drop reasons are in `lvsadm status`",
  est_cpulist: ESTIMATOR,
  est_nice: ESTIMATOR,
  ignore_tunneled: "the engine takes no tunnel apart: what comes out of one is the kernel's and does not pass here again",
  snat_reroute: "every answer is routed by its own destination already",
  sync_sock_size: "sync messages are frames of the engine's own: there is no socket",
};

const VALUE_MAX = 4294967295;

/** A setting's value as it is written: one number; of sync_threshold two. Undefined when it is anything else. */
export function readSetting(name: string, text: string): number[] | undefined {
  const words = text.trim().split(/\s+/);
  const numbers = words.map((word) => wholeNumber(word, 0, VALUE_MAX));
  if (words.length > (name === "sync_threshold" ? 2 : 1) || numbers.includes(undefined)) return undefined;
  return numbers as number[];
}
