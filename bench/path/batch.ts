// A batch of frames in the engine's memory: written outside of the timed part, checked after it. Of every frame that comes out
// the checksums are summed; of some batches every byte is compared.

import { LIST_ENTRY_BYTES, SLOT_HEADROOM, WORKERS_BASE, WORKER_RECEIVE, WORKER_TRANSMIT } from "../../assembly/abi/layout.js";
import { BATCH_MAX } from "../../assembly/abi/limits.js";
import { difference } from "./frames.js";
import { clientPortWire, clientWord } from "./flows.js";
import { Sums } from "./sums.js";
import type { Template } from "./template.js";
import type { World } from "./world.js";

/** As the drivers' slots: a multiple of a cache line that is odd in lines. */
const SLOT_BYTES = 2112;

export const RECEIVE_LIST = WORKERS_BASE + WORKER_RECEIVE;
export const TRANSMIT_LIST = WORKERS_BASE + WORKER_TRANSMIT;
export { LIST_ENTRY_BYTES };

export class Batch {
  private readonly words: Uint32Array;
  private readonly sums: Sums;
  readonly flows = new Uint32Array(BATCH_MAX);

  constructor(private readonly world: World) {
    this.words = new Uint32Array(world.engine.memory.buffer);
    this.sums = new Sums(world.engine.memory);
  }

  frameAt(index: number): number {
    return this.world.engine.arenaBase + index * SLOT_BYTES + SLOT_HEADROOM;
  }

  /** Lists `count` frames of equal size that came in by one port; their contents may change from batch to batch. */
  list(count: number, bytes: number, port: number): void {
    for (let index = 0; index < count; index++) this.enter(index, bytes, port);
  }

  enter(index: number, bytes: number, port: number): void {
    this.world.engine.enter(index, this.frameAt(index), bytes, port);
  }

  write(index: number, flow: number, template: Template): void {
    this.flows[index] = flow;
    template.write(this.words, (this.frameAt(index) - 2) >> 2, clientWord(flow), clientPortWire(flow));
  }

  /** Throws unless `count` frames came out whose checksums are all right. */
  check(count: number, sent: number): void {
    if (sent !== count) throw new Error(`${sent} of ${count} frames came out: ${this.reasons()}`);
    for (let index = 0; index < count; index++) {
      const { frame, bytes } = this.world.engine.sent(index);
      const wrong = this.sums.wrong(frame, bytes);
      if (wrong !== undefined) throw new Error(`frame ${index} of a batch is wrong: ${wrong}`);
    }
  }

  /** Throws unless the transmit list holds exactly the frames that these flows must have become. */
  verify(count: number, sent: number, port: number, expected: (flow: number, index: number) => Uint8Array): void {
    this.check(count, sent);
    const { engine } = this.world;
    for (let index = 0; index < count; index++) {
      const out = engine.sent(index);
      const wrong = out.port === port
        ? difference(engine.bytes.subarray(out.frame, out.frame + out.bytes), expected(this.flows[index] ?? 0, index))
        : `it left by port ${out.port}`;
      if (wrong !== undefined) throw new Error(`frame ${index} of a batch is wrong: ${wrong}`);
    }
  }

  private reasons(): string {
    return Object.entries(this.world.engine.drops()).map(([reason, times]) => `${reason} ${times}`).join(", ");
  }
}
