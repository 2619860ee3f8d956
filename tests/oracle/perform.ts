// Steps and plays on a director in this process.

import type { Replay } from "../../host/replay/replay.js";
import { readScenario } from "../../host/replay/scenario.js";
import type { Emitted } from "../fuzz/generator.js";
import type { Play } from "../fuzz/plays/talk.js";
import type { Step } from "./kernel/recorder.js";
import { PORTS, type RecordedEvent } from "./recording.js";

export interface Outcome { echo: RecordedEvent; sent: Emitted[] }

/** Does one step; what a command said, and the frames that came out because of it. */
export async function perform(replay: Replay, step: Step): Promise<Outcome> {
  const [input] = readScenario(JSON.stringify(step), PORTS);
  if (!input) throw new RangeError(`not an input: ${JSON.stringify(step)}`);
  const [echo, ...sent] = (await replay.play(input)) as [RecordedEvent, ...RecordedEvent[]];
  return { echo, sent: sent.map((one) => ({ port: one.if ?? "", bytes: Buffer.from(one.hex ?? "", "hex") })) };
}

/** Does a whole play; `follow` is told of every step, and may keep frames from the play. */
export async function playOn(replay: Replay, play: Play, follow: (step: Step, sent: Emitted[]) => Emitted[] = (_, sent) => sent): Promise<void> {
  for (let step = play.next(); step.done !== true;) {
    const { sent } = await perform(replay, step.value);
    step = play.next(follow(step.value, sent));
  }
}
