// Optimised code is made by other threads while ours runs.

const COMPILE_MS = 200;

/**
 * Optimised code, of Wasm as of JavaScript, is made by other threads. Where they have no processor but ours
 * (`taskset`, `chrt`) they get nothing done unless we wait for them, and slow code would be measured.
 */
export function letCompile(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, COMPILE_MS);
}
