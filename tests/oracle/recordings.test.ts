// Every frame and every listing of a real kernel's IPVS, input by input, against the release Wasm.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readScenario } from "../../host/replay/scenario.js";
import { maskedFrame, sameText } from "./mask.js";
import { createRecordedDirector, PORTS, readRecording, type RecordedEvent } from "./recording.js";

/**
 * Where the engine does what is right for the user and this kernel does not, by recording and event.
 * An ICMPv6 error of a NAT real server: the kernel drops it, because it checks the checksum without
 * the pseudo-header when the network card did not; the client needs to hear of it.
 */
const WANTED: Record<string, number[]> = { ipv6_nat: [25] };

const SLACK_SECONDS = 1;
/** While drop_entry takes connections at random, counts of what is left may be so far apart: two deviations of the difference. */
const SLACK_LEFT = 20;
const TAKES_AT_RANDOM = /drop_entry=[123]/;
/** The recordings empty the kernel's connection table by loading the module anew. */
const RELOAD = /rmmod/;
/** Asks the kernel for what is not IPVS. */
const FOREIGN = /^cat \/proc/;

function outputsAfter(events: RecordedEvent[], index: number): string[] {
  const outputs: string[] = [];
  for (let at = index + 1; at < events.length && !["in", "cmd", "advance", "end"].includes(events[at]?.ev ?? ""); at++) {
    const event = events[at];
    if (event?.ev === "out") outputs.push(`${event.if} ${maskedFrame(event.hex ?? "")}`);
  }
  return outputs.sort();
}

/** True when the engine said what the kernel did. */
function sameAnswer(event: RecordedEvent, echo: RecordedEvent | undefined, atRandom: boolean): boolean {
  if (echo?.rc !== event.rc || echo?.stderr !== event.stderr) return false;
  const [theirs = "", ours = ""] = [event.stdout, echo?.stdout];
  if (!atRandom || !event.cmd?.endsWith("| wc -l")) return sameText(theirs, ours, SLACK_SECONDS);
  return Math.abs(Number(theirs) - Number(ours)) <= SLACK_LEFT;
}

async function compare(name: string): Promise<string[]> {
  let replay = await createRecordedDirector();
  const events = readRecording(name);
  const differences: string[] = [];
  let atRandom = false;
  for (const [index, event] of events.entries()) {
    if (!["in", "cmd", "advance"].includes(event.ev) || FOREIGN.test(event.cmd ?? "")) continue;
    if (RELOAD.test(event.cmd ?? "")) {
      replay = await createRecordedDirector();
      atRandom = false;
      continue;
    }
    const input = readScenario(JSON.stringify(event), PORTS)[0];
    if (!input) continue;
    const [echo, ...sent] = (await replay.play(input)) as RecordedEvent[];
    const frames = sent.map((one) => `${one.if} ${maskedFrame(one.hex ?? "")}`).sort();
    const expected = outputsAfter(events, index);
    if (WANTED[name]?.includes(index)) {
      assert.equal(expected.length, 0, "the kernel was silent");
      assert.equal(frames.length, 1, "the client is told");
    } else if (frames.join() !== expected.join()) {
      differences.push(`event ${index} ${event.ev} ${event.if ?? ""} ${event.hex ?? event.cmd ?? event.s}\n  kernel ${expected.join("\n         ")}\n  engine ${frames.join("\n         ")}`);
    }
    if (event.ev !== "cmd") continue;
    if (TAKES_AT_RANDOM.test(event.cmd ?? "")) atRandom = true;
    if (sameAnswer(event, echo, atRandom)) continue;
    const told = (one: RecordedEvent | undefined): string => `${one?.rc} ${one?.stdout ?? ""}${one?.stderr ?? ""}`;
    differences.push(`event ${index} gt ${event.gt} ${event.cmd}\n  kernel ${told(event)}  engine ${told(echo)}`);
  }
  return differences;
}

const RECORDINGS = ["nat_tcp", "dr", "tun_ipip", "udp_icmp", "ipv6_nat", "tun_gre", "tun_gue", "sctp", "limits", "ftp",
  "sysctls", "timeouts", "defense", "persistence"];
const asked = process.env["LVS_RECORDINGS"]?.split(",");

for (const name of asked ?? RECORDINGS) {
  test(`recording ${name}: every frame and text as the kernel's`, async () => {
    const differences = await compare(name);
    assert.equal(differences.length, 0, `${differences.length} inputs differ:\n${differences.slice(0, 12).join("\n")}`);
  });
}
