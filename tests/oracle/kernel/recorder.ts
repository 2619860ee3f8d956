// A scenario on a real kernel, and what it did, as the events of a recording.

import type { RecordedEvent } from "../recording.js";
import type { Guest, GuestOutput } from "./guest.js";

/** What a scenario does: each is a line of a recording without its outcome. */
export type Step =
  | { ev: "cmd"; cmd: string }
  | { ev: "in"; if: string; hex: string }
  | { ev: "advance"; s: number };

/** A line of a scenario file, in the long form of recordings or the short one; undefined when it asks for nothing. */
export function readStep(text: string): Step | undefined {
  const event = JSON.parse(text) as Record<string, unknown>;
  // The guest's time stands still by itself: sleeping is moving it, too.
  const kind = event["ev"] === "sleep" ? "advance" : event["ev"];
  const port = event["if"];
  const hex = event["hex"] ?? event["frame"];
  const seconds = event["s"] ?? event["advance"];
  if ((kind === undefined || kind === "cmd") && typeof event["cmd"] === "string") return { ev: "cmd", cmd: event["cmd"] };
  if ((kind === undefined || kind === "in") && typeof port === "string" && typeof hex === "string") return { ev: "in", if: port, hex };
  if ((kind === undefined || kind === "advance") && typeof seconds === "number") return { ev: "advance", s: seconds };
  if (typeof kind === "string" && !["cmd", "in", "advance"].includes(kind)) return undefined;
  throw new RangeError(`neither a command nor a frame nor an advance: ${text.slice(0, 120)}`);
}

const MS = 1000;
const rounded = (seconds: number): number => Math.round(seconds * 10 * MS) / (10 * MS);

/** Does the steps on a guest that was just booted or reset. Time `gt` is the guest's, from one second on. */
export function record(guest: Guest, steps: readonly Step[], stepSeconds?: number): RecordedEvent[] {
  const events: RecordedEvent[] = [];
  const startSeconds = guest.clock.nowSeconds - 1;
  const now = (): number => rounded(guest.clock.nowSeconds - startSeconds);
  const outputs = (frames: GuestOutput[]): void => {
    for (const { port, bytes } of frames) events.push({ ev: "out", gt: now(), if: port, hex: bytes.toString("hex") });
  };
  for (const step of steps) {
    // The moment before an advance: its seconds follow. A command's is the moment it was done.
    const gt = now();
    if (step.ev === "cmd") {
      const { exitCode, stdout, stderr } = guest.run(step.cmd);
      events.push({ ev: "cmd", gt: now(), cmd: step.cmd, rc: exitCode, stdout, stderr });
    } else if (step.ev === "in") {
      events.push({ ev: "in", gt, if: step.if, hex: step.hex });
      outputs(guest.send(step.if, Buffer.from(step.hex, "hex")));
    } else {
      events.push({ ev: "advance", gt, s: step.s });
      outputs(guest.advance(step.s, stepSeconds));
    }
  }
  return events;
}

/** Events as the lines of a recording. */
export function linesOf(events: readonly RecordedEvent[]): string {
  return events.map((event) => `${JSON.stringify(event)}\n`).join("");
}
