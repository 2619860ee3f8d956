// Whether the ports' devices are up. Each time one comes up the link is told where the port's addresses are now: what a TAP is
// given before somebody brings it up is lost, and so neighbours would go on sending to whoever had the addresses before.

import { LinkProbe } from "../io/sys/nic.js";
import type { PortConfig } from "../config/config.js";

const LOOK_MS = 500;
/** Told again so long after: a device may be plugged into its bridge a moment after it came up. */
const AGAIN_MS = 2000;

/** Announces a port's addresses. */
type Tell = (port: number) => Promise<unknown>;

export class Links {
  private readonly probes: ReadonlyMap<number, LinkProbe>;
  private readonly up = new Set<number>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private looking: NodeJS.Timeout | undefined;
  private tell: Tell = async () => undefined;

  constructor(ports: readonly PortConfig[]) {
    this.probes = new Map(ports.map((port) => [port.index, new LinkProbe(port.device, port.namespacePath)]));
  }

  /** Looks at once, and from now on. */
  watch(tell: Tell): void {
    this.tell = tell;
    this.look();
    this.looking = setInterval(() => this.look(), LOOK_MS);
  }

  isUp(port: number): boolean {
    return this.probes.get(port)?.isUp === true;
  }

  /** 0 of a device that has gone. */
  mtuOf(port: number): number {
    return this.probes.get(port)?.mtu ?? 0;
  }

  stop(): void {
    clearInterval(this.looking);
    this.timers.forEach((timer) => clearTimeout(timer));
    for (const probe of this.probes.values()) probe.close();
  }

  private look(): void {
    for (const [port, probe] of this.probes) {
      if (!probe.isUp) this.up.delete(port);
      else if (!this.up.has(port)) this.cameUp(port);
    }
  }

  private cameUp(port: number): void {
    this.up.add(port);
    // Where the data plane is just starting again, the next look tries anew.
    this.tell(port).catch(() => this.up.delete(port));
    const again = setTimeout(() => {
      this.timers.delete(again);
      if (this.up.has(port)) void this.tell(port).catch(() => undefined);
    }, AGAIN_MS);
    this.timers.add(again);
  }
}
