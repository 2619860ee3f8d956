// What a kernel did, event by event, against what the engine does with the same inputs.

import type { ReplayOptions } from "../../host/replay/replay.js";
import { readScenario } from "../../host/replay/scenario.js";
import { isChatter } from "./kernel/barrier.js";
import { byService, maskedFrame, sameText, withoutRates } from "./mask.js";
import { beginRecordedSession, PORTS, type RecordedEvent } from "./recording.js";

/** While drop_entry takes connections at random, counts of what is left may be so far apart: two deviations of the difference. */
const SLACK_LEFT = 20;
const TAKES_AT_RANDOM = /drop_entry=[123]/;
/** Asks the kernel for what is not IPVS. */
const FOREIGN = /^cat \/proc\/(?!net\/ip_vs)/;
/** Lists services by the kernel's hash, which depends on where its memory lies. */
const UNSORTED = /nosort|\/proc\/net\/ip_vs\b/;

/** An input that was answered differently: frames as "PORT HEX", or a command's status and texts. */
export interface Difference { index: number; event: RecordedEvent; kernel: string[]; engine: string[] }

/** The masked frames that came out because of an event, in an order of their own. */
export function outputsAfter(events: readonly RecordedEvent[], index: number): string[] {
  const outputs: string[] = [];
  for (let at = index + 1; at < events.length && !["in", "cmd", "advance", "end"].includes(events[at]?.ev ?? ""); at++) {
    const event = events[at];
    if (event?.ev === "out") outputs.push(`${event.if} ${maskedFrame(event.hex ?? "")}`);
  }
  return outputs.sort();
}

const told = (one: RecordedEvent | undefined): string[] => [`${one?.rc} ${one?.stdout ?? ""}${one?.stderr ?? ""}`];

/** True when the engine said what the kernel did. */
function sameOutcome(kernel: RecordedEvent, engine: RecordedEvent | undefined, atRandom: boolean): boolean {
  if (engine?.rc !== kernel.rc || engine?.stderr !== kernel.stderr) return false;
  const command = kernel.cmd ?? "";
  const masked = (text = ""): string => withoutRates(command, UNSORTED.test(command) ? byService(text) : text);
  const [theirs, ours] = [masked(kernel.stdout), masked(engine?.stdout)];
  if (!atRandom || !command.endsWith("| wc -l")) return sameText(theirs, ours);
  return Math.abs(Number(theirs) - Number(ours)) <= SLACK_LEFT;
}

/** Everything in which the engine differs, in the recording's order. */
export async function compareEvents(events: readonly RecordedEvent[], options: ReplayOptions = {}): Promise<Difference[]> {
  const session = await beginRecordedSession(options);
  const differences: Difference[] = [];
  let atRandom = false;
  for (const [index, event] of events.entries()) {
    if (!["start", "in", "cmd", "advance"].includes(event.ev) || FOREIGN.test(event.cmd ?? "")) continue;
    const input = readScenario(JSON.stringify(event), PORTS)[0];
    if (!input) continue;
    const [echo, ...sent] = (await session.play(input)) as RecordedEvent[];
    if (input.kind === "reload") {
      atRandom = false;
      continue;
    }
    // Membership reports come when a kernel likes: no recording has them.
    const engine = sent.filter((one) => !isChatter(Buffer.from(one.hex ?? "", "hex"))).map((one) => `${one.if} ${maskedFrame(one.hex ?? "")}`).sort();
    const kernel = outputsAfter(events, index);
    atRandom ||= TAKES_AT_RANDOM.test(event.cmd ?? "");
    if (engine.join() !== kernel.join()) differences.push({ index, event, kernel, engine });
    else if (event.ev === "cmd" && !sameOutcome(event, echo, atRandom)) differences.push({ index, event, kernel: told(event), engine: told(echo) });
  }
  return differences;
}

const SHOWN_MAX = 400;
/** Headers are what one looks at; data is long. */
export const shortened = (line: string): string => (line.startsWith("0 ") || line.length <= SHOWN_MAX ? line : `${line.slice(0, SHOWN_MAX)}...`);

/** A difference in lines to read. */
export function describeDifference({ index, event, kernel, engine }: Difference): string {
  const what = shortened(String(event.hex ?? event.cmd ?? event.s));
  const side = (lines: string[]): string => (lines.length === 0 ? "nothing" : lines.map(shortened).join("\n         "));
  return `event ${index} gt ${event.gt} ${event.ev} ${event.if ?? ""} ${what}\n  kernel ${side(kernel)}\n  engine ${side(engine)}`;
}
