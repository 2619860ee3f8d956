// What the comparison asks of a director.

import type { Hall, Laboratory } from "../hall.js";
import type { Running } from "../running.js";
import type { Tool } from "../tools.js";

/** Streams of TCP, or packets that belong to nothing. */
export type Kind = "streams" | "packets";

/** A director that stands in its hall. */
export interface Standing {
  /** Whose processor time is its own; none when it works in other people's interrupts. */
  pids(): number[];
  /** Its programs, to be looked at and stopped. */
  programs: readonly Running[];
}

/** One row of the table. */
export interface Contestant {
  name: string;
  /** What it is, for a reader. */
  about: string;
  tools: readonly Tool[];
  /** What it is measured with. */
  takes: readonly Kind[];
  /** Sets it up and starts it: VIP:80 to both servers, VIP:5201 to the first, datagrams to VIP:9 to both. */
  start(hall: Hall, laboratory: Laboratory): Promise<Standing>;
}
