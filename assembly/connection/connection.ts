// A connection remembers which server a client was given. One entry serves both directions, because
// it is found by the client, and the client is what NAT leaves unchanged.

import {
  CONNECTION_BYTES, CONNECTION_CHILDREN, CONNECTION_CLIENT16, CONNECTION_CONTROL, CONNECTION_EXTRA, CONNECTION_FLAGS, CONNECTION_FWMARK,
  CONNECTION_HOME, CONNECTION_HOP_IN, CONNECTION_LAST_MS, CONNECTION_SERVER, CONNECTION_SERVER16, CONNECTION_SYNCED,
  CONNECTION_TIMEOUT_MS, CONNECTION_VIRTUAL16, STATE_WRITTEN,
} from "../abi/layout";
import { ConnectionFlag } from "../abi/enums";
import { BUCKET_BITS_MAX, CONNECTIONS_PER_BUCKET, CONTROL_RETRY_MS, SERVERS_MAX } from "../abi/limits";
import { foldAddress } from "../base/hash";
import { connections, now, recordsOf, shard, since, state } from "../memory";
import { goesOffAfterMs, timeoutAnewMs } from "./wheel";
import { copyAddress, isMapped, mapAddress, sameAddress } from "../wire/field";

/** A connection's number: its shard, and its index there. */
const INDEX_BITS: u32 = 24;
const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;
if (CONNECTIONS_PER_BUCKET << BUCKET_BITS_MAX > 1 << 24) ERROR("INDEX_BITS no longer hold every index");

const PLAIN_MASK: u32 = <u32>ConnectionFlag.Detailed | <u32>ConnectionFlag.Template | <u32>ConnectionFlag.NoClientPort;

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
  /**
   * Its addresses in their long form, to be read. Of a connection without details they are written for who asks, and
   * stay until somebody asks for the same one of another.
   */
  get client16(): usize {
    return this.has(ConnectionFlag.Detailed) ? this.place(CONNECTION_CLIENT16) : written(this.client, CONNECTION_CLIENT16);
  }
  get virtual16(): usize {
    return this.has(ConnectionFlag.Detailed) ? this.place(CONNECTION_VIRTUAL16) : written(this.virtual, CONNECTION_VIRTUAL16);
  }
  get server16(): usize {
    return this.has(ConnectionFlag.Detailed) ? this.place(CONNECTION_SERVER16) : written(this.serverAddress, CONNECTION_SERVER16);
  }
  /** True when an address in its long form is the client's; of a connection of the same family. */
  clientIs(address: usize): bool {
    return this.client == foldAddress(address) && this.isWhole(CONNECTION_CLIENT16, address);
  }
  virtualIs(address: usize): bool {
    return this.virtual == foldAddress(address) && this.isWhole(CONNECTION_VIRTUAL16, address);
  }
  serverIs(address: usize): bool {
    return this.serverAddress == foldAddress(address) && this.isWhole(CONNECTION_SERVER16, address);
  }
  private isWhole(place: u32, address: usize): bool {
    return !this.has(ConnectionFlag.Detailed) || sameAddress(this.place(place), address);
  }
  /** Sets addresses from their long forms; of IPv6 only a fold fits into the record. */
  setClient(address: usize): void {
    this.client = this.clientAgain = this.set16(CONNECTION_CLIENT16, address);
  }
  setVirtual(address: usize): void {
    this.virtual = this.set16(CONNECTION_VIRTUAL16, address);
  }
  setServer(address: usize): void {
    this.serverAddress = this.set16(CONNECTION_SERVER16, address);
  }
  private set16(place: u32, address: usize): u32 {
    if (!isMapped(address)) this.takeDetails();
    if (this.has(ConnectionFlag.Detailed)) copyAddress(this.place(place), address);
    return foldAddress(address);
  }
  /** The server's family: behind a tunnel it may be another than the client's. */
  get serverFamily(): u32 {
    return !this.has(ConnectionFlag.Detailed) || isMapped(this.place(CONNECTION_SERVER16)) ? 4 : 6;
  }
  /** From here on its details are in use. */
  takeDetails(): void {
    if (this.has(ConnectionFlag.Detailed)) return;
    this.set(ConnectionFlag.Detailed);
    mapAddress(this.place(CONNECTION_CLIENT16), this.client);
    mapAddress(this.place(CONNECTION_VIRTUAL16), this.virtual);
    mapAddress(this.place(CONNECTION_SERVER16), this.serverAddress);
    v128.store(this.place(CONNECTION_CONTROL), i64x2.splat(0));
  }
  /** The number of the connection that controls this one; 0 none. */
  get control(): u32 {
    return this.detail(CONNECTION_CONTROL);
  }
  set control(number: u32) {
    this.setDetail(CONNECTION_CONTROL, number);
  }
  /** How many this one controls. */
  get children(): u32 {
    return this.detail(CONNECTION_CHILDREN);
  }
  set children(count: u32) {
    this.setDetail(CONNECTION_CHILDREN, count);
  }
  get extra(): u32 {
    return this.detail(CONNECTION_EXTRA);
  }
  set extra(index: u32) {
    this.setDetail(CONNECTION_EXTRA, index);
  }
  get fwmark(): u32 {
    return this.detail(CONNECTION_FWMARK);
  }
  set fwmark(mark: u32) {
    this.setDetail(CONNECTION_FWMARK, mark);
  }
  private detail(place: u32): u32 {
    return this.has(ConnectionFlag.Detailed) ? load<u32>(this.place(place)) : 0;
  }
  private setDetail(place: u32, value: u32): void {
    if (value != 0) this.takeDetails();
    if (this.has(ConnectionFlag.Detailed)) store<u32>(this.place(place), value);
  }
  private place(offset: u32): usize {
    return changetype<usize>(this) + offset;
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
  /** True for one in the table that is nobody's template, lives by no other, no other lives by it, and whose client is known. */
  get isPlain(): bool {
    return (<u32>this.flags & (PLAIN_MASK | <u32>ConnectionFlag.Hashed)) == <u32>ConnectionFlag.Hashed;
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
  /** No packet has come for its whole time. */
  get isOver(): bool {
    return since(this.lastMs) >= this.timeoutMs;
  }
  /** And its timer has gone off, which is later where there are ticks. */
  get expired(): bool {
    return this.isOver && since(this.lastMs) >= goesOffAfterMs(this.lastMs, this.timeoutMs);
  }
  /** How long its time has been over. */
  get overdueMs(): u32 {
    return since(this.lastMs) - goesOffAfterMs(this.lastMs, this.timeoutMs);
  }
  /**
   * Its time is over, but connections live by it: it goes on for another minute, and from then on lives by
   * minutes, as in the kernel. Counted from when its time was over, not from when that was noticed.
   */
  outlive(): void {
    this.lastMs = now - this.overdueMs % CONTROL_RETRY_MS;
    this.timeoutMs = timeoutAnewMs(CONTROL_RETRY_MS);
  }
}
if (offsetof<Connection>() != CONNECTION_CLIENT16) ERROR("Connection no longer fills its first line");
if (offsetof<Connection>("flags") != CONNECTION_FLAGS) ERROR("flags moved");
if (offsetof<Connection>("server") != CONNECTION_SERVER) ERROR("server moved");
if (offsetof<Connection>("synced") != CONNECTION_SYNCED) ERROR("synced moved");
if (SERVERS_MAX > 65536) ERROR("server no longer holds every server's index");
if (offsetof<Connection>("lastMs") != CONNECTION_LAST_MS) ERROR("lastMs moved");
if (offsetof<Connection>("timeoutMs") != CONNECTION_TIMEOUT_MS) ERROR("timeoutMs moved");
if (offsetof<Connection>("home") != CONNECTION_HOME) ERROR("home moved");
if (offsetof<Connection>("hopIn") != CONNECTION_HOP_IN) ERROR("hopIn moved");
if (CONNECTION_FWMARK != CONNECTION_CONTROL + 12) ERROR("takeDetails() zeroes four words");

/** An IPv4 address in its long form, in the worker's scratch as it would lie in the details. */
function written(address: u32, place: u32): usize {
  let at = state + STATE_WRITTEN + place - CONNECTION_CLIENT16;
  mapAddress(at, address);
  return at;
}
