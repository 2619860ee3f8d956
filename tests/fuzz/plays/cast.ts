// Plays as parts of a random scenario: one step at a time, between the frames of everybody else.

import type { Step } from "../../oracle/kernel/recorder.js";
import type { Emitted } from "../generator.js";
import type { Random } from "../random.js";
import { PLAYS } from "./index.js";
import type { Play } from "./talk.js";

/** Those that bring what the generator has no words for, by how often. */
const PARTS = [[3, "marks"], [3, "dialog"], [3, "associations"], [2, "calls"], [2, "tunnels"], [2, "allPorts"], [2, "churn"], [1, "choices"]] as const;

/** Time is the scenario's own affair, and so is waiting until a kernel has summed its statistics. */
const isOthers = (step: Step): boolean => step.ev === "advance" || (step.ev === "cmd" && /--stats|sysctl|ip link/.test(step.cmd));

/**
 * True for a command that adds a service where one of these is: its servers are there, and by which method they were
 * reached decides (IPVSADM.md, "What differs").
 */
const addsTo = (step: Step, services: readonly string[]): boolean => step.ev === "cmd" && services.some((key) => step.cmd.includes(`-A ${key} `));

/** Plays one after the other; `next` has nothing while a step's outcome is not known. */
export class Cast {
  private play: Play | undefined;
  private name = "";
  private waits: Step | undefined;
  private outcome: readonly Emitted[] = [];

  constructor(private readonly random: Random) {}

  private begin(): Play | undefined {
    this.name = this.random.weighted(PARTS);
    return PLAYS[this.name]?.(this.random);
  }

  /** The next step, of a play that leaves the services with these words alone. */
  next(services: readonly string[]): Step | undefined {
    if (this.waits) return undefined;
    for (;;) {
      this.play ??= this.begin();
      const step = this.play?.next(this.outcome);
      this.outcome = [];
      if (!step || step.done === true) this.play = undefined;
      else if (addsTo(step.value, services)) this.play = undefined;
      else if (!isOthers(step.value)) return (this.waits = step.value);
    }
  }

  /** Connections end in so much time; of FTP's, a kernel's tracking goes on for longer: what is said then is its affair. */
  endDialog(): void {
    if (this.name === "dialog") this.play = undefined;
  }

  observe(step: Step, emitted: readonly Emitted[]): void {
    if (step !== this.waits) return;
    this.waits = undefined;
    this.outcome = emitted;
  }
}
