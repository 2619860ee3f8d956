// The ABI on one page.

import { attachWorker } from "./memory";

export { init, control } from "./control";
export { receive } from "./engine";
export { tick } from "./tick";

/** Makes this instance one worker of the memory. Call it once, after init(). */
export function attach(worker: u32): void {
  attachWorker(worker);
}
