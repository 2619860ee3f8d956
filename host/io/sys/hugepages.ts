// Huge pages for the connection tables. A million connections lie in 40,000 pages of 4 KiB, many times what a processor
// keeps the places of, so that nearly every look into a table walks through the page tables too; in pages of 2 MiB they are 80.

import { CONTROL_BASE, CONTROL_TABLE_BASE } from "../../../assembly/abi/layout.js";
import { addressOf, madvise } from "./libc.js";

const MADV_HUGEPAGE = 14;

/**
 * Asks for huge pages for an engine's tables, best before they are first used. False where the kernel has none to give
 * (`/sys/kernel/mm/transparent_hugepage/enabled` says "never"): everything works without.
 */
export function askForHugePages(memory: WebAssembly.Memory): boolean {
  const from = new DataView(memory.buffer).getUint32(CONTROL_BASE + CONTROL_TABLE_BASE, true);
  return madvise(addressOf(new Uint8Array(memory.buffer)) + from, memory.buffer.byteLength - from, MADV_HUGEPAGE) === 0;
}
