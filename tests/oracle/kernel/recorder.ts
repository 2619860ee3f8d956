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

/** Writes down what a guest does, which was just booted or reset. Time `gt` is the guest's, from one second on. */
export class Recorder {
  readonly events: RecordedEvent[] = [];
  private readonly startSeconds: number;

  constructor(private readonly guest: Guest, private readonly stepSeconds?: number) {
    this.startSeconds = guest.clock.nowSeconds - 1;
  }

  private get now(): number {
    return rounded(this.guest.clock.nowSeconds - this.startSeconds);
  }

  /** Does one step and answers what came out. */
  play(step: Step): GuestOutput[] {
    const outputs = this.perform(step);
    for (const { port, bytes } of outputs) this.events.push({ ev: "out", gt: this.now, if: port, hex: bytes.toString("hex") });
    return outputs;
  }

  /** An advance is told with the moment before it, a command with the moment it was done. */
  private perform(step: Step): GuestOutput[] {
    switch (step.ev) {
      case "cmd": {
        const { exitCode, stdout, stderr } = this.guest.run(step.cmd);
        this.events.push({ ev: "cmd", gt: this.now, cmd: step.cmd, rc: exitCode, stdout, stderr });
        return this.guest.take();
      }
      case "in":
        this.events.push({ ev: "in", gt: this.now, if: step.if, hex: step.hex });
        return this.guest.send(step.if, Buffer.from(step.hex, "hex"));
      case "advance":
        this.events.push({ ev: "advance", gt: this.now, s: step.s });
        return this.guest.advance(step.s, this.stepSeconds);
    }
  }
}

/** A whole scenario's recording. */
export function record(guest: Guest, steps: readonly Step[], stepSeconds?: number): RecordedEvent[] {
  const recorder = new Recorder(guest, stepSeconds);
  for (const step of steps) recorder.play(step);
  return recorder.events;
}

/** Events as the lines of a recording. */
export function linesOf(events: readonly RecordedEvent[]): string {
  return events.map((event) => `${JSON.stringify(event)}\n`).join("");
}
