// The shortcuts of a pump's ports that have a packet socket beside: all are shut and opened together.

import { SystemError } from "./sys/error.js";
import { close } from "./sys/libc.js";
import type { Place } from "./driver.js";
import type { NicPlace } from "./nic.js";
import { openShortcut, tellEmptied } from "./shortcut.js";

/** The link of a port's shortcut while that is open (-1 while not), or why it could not be opened. */
interface Way { port: number; nic: NicPlace; link: number; problem: string }

export class Shortcuts {
  private readonly ways: Way[] = [];

  constructor(private readonly place: Pick<Place, "lacks">) {}

  /** Opens a port's shortcut, if it has one. */
  add(port: number, nic: NicPlace): void {
    if (nic.shortcut) this.ways.push({ port, nic, link: openShortcut(nic), problem: "" });
  }

  /**
   * Shuts the shortcuts, or opens them again; where that fails the packet socket serves on, and somebody should try again.
   * True when one was opened. In a card's driver the program stays: taking it off may restart the card's queues.
   */
  set(isOpen: boolean): boolean {
    const ways = this.ways.filter(({ nic, link }) => !nic.isDriverMode && isOpen !== link >= 0);
    for (const way of ways) {
      if (isOpen) this.tryOpen(way);
      else shut(way);
    }
    return isOpen && ways.some(({ link }) => link >= 0);
  }

  /** True when none is open. */
  get areShut(): boolean {
    return this.ways.every(({ link }) => link < 0);
  }

  /** The packet sockets beside those that are open hold nothing older than a time of the kernel's monotonic clock, in nanoseconds. */
  tellEmptied(sinceNs: bigint): void {
    for (const { nic, link } of this.ways) if (link >= 0) tellEmptied(nic, sinceNs);
  }

  close(): void {
    for (const way of this.ways.splice(0)) shut(way);
  }

  private tryOpen(way: Way): void {
    let problem = "";
    try {
      way.link = openShortcut(way.nic);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      problem = error.message;
    }
    if (problem !== way.problem) this.place.lacks?.(way.port, problem);
    way.problem = problem;
  }
}

function shut(way: Way): void {
  if (way.link >= 0) close(way.link);
  way.link = -1;
}
