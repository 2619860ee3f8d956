// The drop_entry defence: each second a thirty-second of the table, at random, loses what it can best do without.

import {
  BUCKET_INDICES, BUCKET_PLACES, CONTROL_BASE, CONTROL_DROP_ENTRIES, CONTROL_SPARED, STATE_DEFENDED_MS,
  STATE_OWED_BUCKETS, STATE_RANDOM,
} from "../abi/layout";
import { ConnectionFlag, Protocol, SctpState, TcpState } from "../abi/enums";
import { mix } from "../base/hash";
import { xorshift } from "../base/random";
import { Connection } from "../connection/connection";
import { dropConnection } from "../connection/open";
import { bucketMask, buckets, lock, now, seed, state, unlock, worker } from "../memory";

const SECOND_MS: u32 = 1000;
/** A thirty-second of the table. */
const SHARE_BITS: u32 = 5;
/** Connections get this long to become worth keeping. */
const GRACE_MS: u32 = 60000;
/** A client that has sent more packets than this is a real one. */
const FEW_PACKETS: u32 = 8;

/** Each tick: looks at as many buckets as the time since the last one stands for. */
export function dropEntries(): void {
  let elapsedMs = min<u32>(now - load<u32>(state, STATE_DEFENDED_MS), SECOND_MS);
  store<u32>(state, now, STATE_DEFENDED_MS);
  if (load<u32>(CONTROL_BASE, CONTROL_DROP_ENTRIES) == 0) return;
  // In thousandths of a bucket, so that short ticks on a small table add up.
  let owed = load<u32>(state, STATE_OWED_BUCKETS) + elapsedMs * ((bucketMask + 1) >> SHARE_BITS);
  store<u32>(state, owed % SECOND_MS, STATE_OWED_BUCKETS);
  for (let count = owed / SECOND_MS; count != 0; count--) clearBucket(buckets + (<usize>(random() & bucketMask) << 6));
}

function random(): u32 {
  let before = load<u32>(state, STATE_RANDOM);
  let after = xorshift(before != 0 ? before : mix(seed, worker, 8) | 1);
  store<u32>(state, after, STATE_RANDOM);
  return after;
}

function clearBucket(bucket: usize): void {
  for (let place: usize = 0; place < BUCKET_PLACES; place++) {
    if (load<u16>(bucket + (place << 1)) == 0) continue;
    let index = load<u32>(bucket + (place << 2), BUCKET_INDICES);
    lock();
    if (isExpendable(Connection.at(index))) dropConnection(index);
    unlock();
  }
}

/** Half-open handshakes always; established ones and datagrams when they rest and have said little. */
function isExpendable(connection: Connection): bool {
  if (connection.has(ConnectionFlag.Template) || connection.children != 0) return false;
  let at = <u32>connection.state;
  switch (<i32>connection.protocol) {
    case Protocol.Tcp:
      if (at == <u32>TcpState.SynRecv || at == <u32>TcpState.SynAck) return true;
      return at == <u32>TcpState.Established && isIdle(connection);
    case Protocol.Sctp:
      if (at == <u32>SctpState.Init1 || at == <u32>SctpState.Init) return true;
      return at == <u32>SctpState.Established && isIdle(connection);
    default: return isIdle(connection);
  }
}

/** Of those whose client has sent n packets, one in n: the fewer, the less is lost with it. */
function isIdle(connection: Connection): bool {
  let sent = connection.packets;
  if (now - connection.lastMs < GRACE_MS || sent == 0 || sent > FEW_PACKETS) return false;
  let spared = <usize>CONTROL_BASE + CONTROL_SPARED + (<usize>sent << 2);
  let left = load<u32>(spared);
  if (left > 1) {
    store<u32>(spared, left - 1);
    return false;
  }
  store<u32>(spared, sent);
  return true;
}
