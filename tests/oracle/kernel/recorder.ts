// A scenario on a real kernel, and what it did, as the events of a recording.

import type { RecordedEvent } from "../recording.js";
import { GRAIN_SECONDS } from "./grain.js";
import type { Guest, GuestOutput } from "./guest.js";

export interface FrameStep { ev: "in"; if: string; hex: string }
type OtherStep = { ev: "cmd"; cmd: string } | { ev: "advance"; s: number };
/** What a scenario does: each is a line of a recording without its outcome. */
export type Step = FrameStep | OtherStep;

/** How fast a scenario is played: in what steps time passes, and how many frames go into a port at once. */
export interface Pace { strideSeconds: (seconds: number) => number; burstMax: number }

/** Periodic work happens as often as it would if time passed by itself, and each frame has an end before the next. */
export const THOROUGH: Pace = { strideSeconds: () => 0.5, burstMax: 1 };
/** From here on time passes in whole grains: in coarser steps what lives by rounds of a minute would begin them late. */
const LONG_SECONDS = 25 * GRAIN_SECONDS;
/** What comes of 24 frames, and the probes between them, fits into a socket's 200 KB. */
export const FAST: Pace = { strideSeconds: (seconds) => GRAIN_SECONDS * (seconds < LONG_SECONDS ? 0.5 : 1), burstMax: 24 };

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

/** Writes down what a guest does, which was just booted or reset. Time `gt` is the guest's, from one second on; its ticks then come first. */
export class Recorder {
  readonly events: RecordedEvent[] = [];
  private readonly startSeconds: number;

  constructor(private readonly guest: Guest, private readonly pace: Pace) {
    this.startSeconds = guest.clock.nowSeconds - 1;
    this.events.push({ ev: "start", gt: this.now, ticks: guest.ticks() });
  }

  private get now(): number {
    return rounded(this.guest.clock.nowSeconds - this.startSeconds);
  }

  /** Does steps in their order, frames into the same port at once; answers what came out because of each. */
  play(steps: readonly Step[]): GuestOutput[][] {
    const outputs: GuestOutput[][] = [];
    for (let at = 0; at < steps.length; at = outputs.length) {
      const burst = burstFrom(steps, at, this.pace.burstMax);
      outputs.push(...(burst.length > 0 ? this.playBurst(burst) : [this.perform(steps[at] as OtherStep)]));
    }
    return outputs;
  }

  private playBurst(burst: readonly FrameStep[]): GuestOutput[][] {
    const outputs = this.guest.send(burst[0]?.if ?? "", burst.map((step) => Buffer.from(step.hex, "hex")));
    burst.forEach((step, index) => {
      this.events.push({ ev: "in", gt: this.now, if: step.if, hex: step.hex });
      this.tell(outputs[index] ?? []);
    });
    return outputs;
  }

  private tell(outputs: readonly GuestOutput[]): void {
    for (const { port, bytes } of outputs) this.events.push({ ev: "out", gt: this.now, if: port, hex: bytes.toString("hex") });
  }

  /** An advance is told with the moment before it, a command with the moment it was done. */
  private perform(step: OtherStep): GuestOutput[] {
    const gt = this.now;
    let outputs: GuestOutput[];
    if (step.ev === "cmd") {
      const { exitCode, stdout, stderr } = this.guest.run(step.cmd);
      this.events.push({ ev: "cmd", gt: this.now, cmd: step.cmd, rc: exitCode, stdout, stderr });
      outputs = this.guest.take();
    } else {
      this.events.push({ ev: "advance", gt, s: step.s });
      outputs = this.guest.advance(step.s, this.pace.strideSeconds(step.s));
    }
    this.tell(outputs);
    return outputs;
  }
}

/** The frames from a place on that go into the same port. */
function burstFrom(steps: readonly Step[], first: number, burstMax: number): FrameStep[] {
  const burst: FrameStep[] = [];
  for (let at = first; at < steps.length && burst.length < burstMax; at++) {
    const step = steps[at];
    if (step?.ev !== "in" || step.if !== (burst[0] ?? step).if) break;
    burst.push(step);
  }
  return burst;
}

/** A whole scenario's recording. */
export function record(guest: Guest, steps: readonly Step[], pace = THOROUGH): RecordedEvent[] {
  const recorder = new Recorder(guest, pace);
  recorder.play(steps);
  return recorder.events;
}

/** Events as the lines of a recording. */
export function linesOf(events: readonly RecordedEvent[]): string {
  return events.map((event) => `${JSON.stringify(event)}\n`).join("");
}
