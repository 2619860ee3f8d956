// What few connections need beyond their record: sequence shifts and a helper's memory, or a template's text.
// Taken at first need.

import {
  EXTRAS_BASE, EXTRAS_WORKER, EXTRA_ANSWERED, EXTRA_BYTES, EXTRA_IN, EXTRA_MODE, EXTRA_NEXT, EXTRA_OUT, EXTRA_REPLY,
  STATE_EXTRA_FREE, STATE_EXTRA_FRESH,
} from "../abi/layout";
import { DropReason } from "../abi/enums";
import { drop } from "../stats";
import { shard, table } from "../memory";
import { Connection } from "./connection";

@unmanaged
export class Extra {
  outPlace: u32; //     0  a Sequence of the server's bytes
  outShift: i32; //     4
  outBefore: i32; //    8
  inPlace: u32; //     12  a Sequence of the client's bytes
  inShift: i32; //     16
  inBefore: i32; //    20
  mode: u32; //        24  an FtpMode
  answered: u32; //    28  1 when the reply to it was read
  reply: u32; //       32  that reply's sequence number
  spare0: u32; //      36
  spare2: u64; //      40
  spare3: u64; //      48
  spare4: u32; //      56
  next: u32; //        60  0 the last

  static at(index: u32): Extra {
    return changetype<Extra>(<usize>EXTRAS_BASE + <usize>index * EXTRA_BYTES);
  }
}
if (offsetof<Extra>() != EXTRA_BYTES) ERROR("Extra no longer fills EXTRA_BYTES");
if (offsetof<Extra>("outPlace") != EXTRA_OUT) ERROR("outPlace moved");
if (offsetof<Extra>("inPlace") != EXTRA_IN) ERROR("inPlace moved");
if (offsetof<Extra>("mode") != EXTRA_MODE) ERROR("mode moved");
if (offsetof<Extra>("answered") != EXTRA_ANSWERED) ERROR("answered moved");
if (offsetof<Extra>("reply") != EXTRA_REPLY) ERROR("reply moved");
if (offsetof<Extra>("next") != EXTRA_NEXT) ERROR("next moved");

/** Index of this shard's first extra. */
function first(): u32 {
  return shard * EXTRAS_WORKER;
}

/** The connection's extra, taken now when it has none; 0 (counted) when there is no room. */
export function extraOf(connection: Connection): u32 {
  if (connection.extra == 0) connection.extra = takeExtra();
  return connection.extra;
}

/** A zeroed extra; 0 (counted) when there is no room. */
export function takeExtra(): u32 {
  let index = load<u32>(table, STATE_EXTRA_FREE);
  if (index != 0) {
    store<u32>(table, Extra.at(index).next, STATE_EXTRA_FREE);
  } else {
    // The first is never given out: index 0 means none.
    let fresh = load<u32>(table, STATE_EXTRA_FRESH) + 1;
    if (fresh == EXTRAS_WORKER) {
      drop(DropReason.ExtraFull);
      return 0;
    }
    store<u32>(table, fresh, STATE_EXTRA_FRESH);
    index = first() + fresh;
  }
  memory.fill(changetype<usize>(Extra.at(index)), 0, EXTRA_BYTES);
  return index;
}

/** Gives back what a connection has: one extra, or all that its text lies in. */
export function giveExtra(connection: Connection): void {
  if (connection.extra == 0) return;
  let last = Extra.at(connection.extra);
  while (last.next != 0) last = Extra.at(last.next);
  last.next = load<u32>(table, STATE_EXTRA_FREE);
  store<u32>(table, connection.extra, STATE_EXTRA_FREE);
  connection.extra = 0;
}
