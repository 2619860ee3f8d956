// A connection remembers which server a client was given. One entry serves both directions, because
// it is found by the client, and the client is what NAT leaves unchanged.

import {
  CONNECTION_BYTES, CONNECTION_CLIENT16, CONNECTION_CONTROL, CONNECTION_FLAGS, CONNECTION_HOME,
  CONNECTION_HOP_IN, CONNECTION_LAST_MS, CONNECTION_SERVER, CONNECTION_SERVER16, CONNECTION_SYNCED,
  CONNECTION_TIMEOUT_MS, CONNECTION_VIRTUAL16,
} from "../abi/layout";
import { ConnectionFlag } from "../abi/enums";
import { BUCKET_BITS_MAX, CONNECTIONS_PER_BUCKET, CONTROL_RETRY_MS, SERVERS_MAX } from "../abi/limits";
import { connections, now, recordsOf, shard, since } from "../memory";

/** A connection's number: its shard, and its index there. */
const INDEX_BITS: u32 = 24;
const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;
if (CONNECTIONS_PER_BUCKET << BUCKET_BITS_MAX > 1 << 24) ERROR("INDEX_BITS no longer hold every index");

@unmanaged
export class Connection {
  client: u32; //            0  IPv4 address, or the fold of an IPv6 one
  virtual: u32; //           4
  clientPort: u16; //        8  network order
  virtualPort: u16; //      10
  protocol: u8; //          12
  state: u8; //             13
  flags: u16; //            14  ConnectionFlag, Forward in the low bits
  serverAddress: u32; //    16
  clientAgain: u32; //      20
  serverPort: u16; //       24
  clientPortAgain: u16; //  26
  server: u16; //           28  server record, 0 none
  synced: u16; //           30
  ipDeltaIn: u16; //        32  what forwarding does to the IP header's sum
  l4DeltaIn: u16; //        34
  ipDeltaOut: u16; //       36
  l4DeltaOut: u16; //       38
  lastMs: u32; //           40
  timeoutMs: u32; //        44
  packets: u32; //          48
  home: u32; //             52
  hopIn: u16; //            56
  hopOut: u16; //           58
  generation: u32; //       60
  client16High: u64; //     64
  client16Low: u64; //      72
  virtual16High: u64; //    80
  virtual16Low: u64; //     88
  server16High: u64; //     96
  server16Low: u64; //     104
  control: u32; //         112  the number of the connection that controls this one; 0 none
  children: u32; //        116
  extra: u32; //           120
  fwmark: u32; //          124

  static at(index: u32): Connection {
    return changetype<Connection>(connections + <usize>index * CONNECTION_BYTES);
  }
  /** The shard of a connection with this number. */
  static shardOf(number: u32): u32 {
    return number >> INDEX_BITS;
  }
  /** The connection with a number, of whatever shard. */
  static numbered(number: u32): Connection {
    return changetype<Connection>(recordsOf(Connection.shardOf(number)) + <usize>(number & INDEX_MASK) * CONNECTION_BYTES);
  }
  /** What others name it by. */
  get number(): u32 {
    return shard << INDEX_BITS | this.index;
  }
  get index(): u32 {
    return <u32>((changetype<usize>(this) - connections) / CONNECTION_BYTES);
  }
  get client16(): usize {
    return changetype<usize>(this) + CONNECTION_CLIENT16;
  }
  get virtual16(): usize {
    return changetype<usize>(this) + CONNECTION_VIRTUAL16;
  }
  get server16(): usize {
    return changetype<usize>(this) + CONNECTION_SERVER16;
  }
  has(flag: ConnectionFlag): bool {
    return (<u32>this.flags & <u32>flag) != 0;
  }
  set(flag: ConnectionFlag): void {
    this.flags |= <u16>flag;
  }
  clear(flag: ConnectionFlag): void {
    this.flags &= ~(<u16>flag);
  }
  get forward(): u32 {
    return <u32>this.flags & <u32>ConnectionFlag.ForwardMask;
  }
  get family(): u32 {
    return this.has(ConnectionFlag.Ipv6) ? 6 : 4;
  }
  /** Starts the timer anew. */
  touch(): void {
    this.lastMs = now;
  }
  /** Its time is over, unless a packet gives it time again. */
  endNow(): void {
    this.lastMs = now;
    this.timeoutMs = 0;
  }
  get expired(): bool {
    return since(this.lastMs) >= this.timeoutMs;
  }
  /** How long its time has been over. */
  get overdueMs(): u32 {
    return since(this.lastMs) - this.timeoutMs;
  }
  /**
   * Its time is over, but connections live by it: it goes on for another minute, and from then on lives by
   * minutes, as in the kernel. Counted from when its time was over, not from when that was noticed.
   */
  outlive(): void {
    this.lastMs = now - this.overdueMs % CONTROL_RETRY_MS;
    this.timeoutMs = CONTROL_RETRY_MS;
  }
}
if (offsetof<Connection>() != CONNECTION_BYTES) ERROR("Connection no longer fills CONNECTION_BYTES");
if (offsetof<Connection>("flags") != CONNECTION_FLAGS) ERROR("flags moved");
if (offsetof<Connection>("server") != CONNECTION_SERVER) ERROR("server moved");
if (offsetof<Connection>("synced") != CONNECTION_SYNCED) ERROR("synced moved");
if (SERVERS_MAX > 65536) ERROR("server no longer holds every server's index");
if (offsetof<Connection>("lastMs") != CONNECTION_LAST_MS) ERROR("lastMs moved");
if (offsetof<Connection>("timeoutMs") != CONNECTION_TIMEOUT_MS) ERROR("timeoutMs moved");
if (offsetof<Connection>("home") != CONNECTION_HOME) ERROR("home moved");
if (offsetof<Connection>("hopIn") != CONNECTION_HOP_IN) ERROR("hopIn moved");
if (offsetof<Connection>("client16High") != CONNECTION_CLIENT16) ERROR("client16 moved");
if (offsetof<Connection>("control") != CONNECTION_CONTROL) ERROR("control moved");
