// A buffer whose address a call was given must outlive that call, whatever the garbage collector thinks of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { addressOf } from "../../host/io/sys/libc.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** A buffer that only this function has seen, and whether it lives on. */
function lent(ask: boolean): WeakRef<Uint8Array> {
  const bytes = new Uint8Array(4096);
  if (ask) addressOf(bytes);
  return new WeakRef(bytes);
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("a buffer lives on after its address was asked for, until many others were", async () => {
  const asked = lent(true);
  const other = lent(false);
  await turn();
  collect();
  assert.ok(asked.deref(), "it was collected");
  assert.equal(other.deref(), undefined, "what nobody asked for is collected: the test tests something");
  await turn();
  for (let count = 0; count < 64; count++) addressOf(new Uint8Array(8));
  await turn();
  collect();
  assert.equal(asked.deref(), undefined, "it is kept for ever");
});
