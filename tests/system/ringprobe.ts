// Whether this machine has the io_uring that the driver needs.

import { ARENA_BYTES } from "../../host/io/slots.js";
import { checked, close, eventfd } from "../../host/io/sys/libc.js";
import { UringDriver } from "../../host/io/uring.js";

/** Why driver uring cannot run here; undefined when it can. */
export function ringProblem(): string | undefined {
  const memory = new WebAssembly.Memory({ initial: Math.ceil(ARENA_BYTES / 65536), maximum: 256, shared: true });
  const wake = checked(eventfd(0, 0), "eventfd");
  const nothing = (): never => {
    throw new Error("a probe moves no frames");
  };
  try {
    const engine = { arenaBase: 0, bytes: new Uint8Array(memory.buffer), enter: nothing, sent: nothing };
    new UringDriver({ engine, devices: [], wake, refused: nothing }).close();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    close(wake);
  }
}
