// The connection table: what was put in is found, what was taken out is not, and overflow loses nothing.

import {
  BUCKET_OVERFLOW, BUCKET_PASSED, BUCKET_PLACES, FREE_BYTES, STATE_USED,
} from "../../../assembly/abi/layout";
import { CONNECTIONS_PER_BUCKET } from "../../../assembly/abi/limits";
import { ConnectionFlag } from "../../../assembly/abi/enums";
import { Connection } from "../../../assembly/connection/connection";
import { foreseeRecords, give, take, topOfFree } from "../../../assembly/connection/free";
import {
  bucketAt, bucketOf, FROM_CLIENT, FROM_SERVER, hashClient, insert, isFurther, lookup, matches, matchesAndEmpty, mayHavePassed, remove, tagOf,
} from "../../../assembly/connection/table";
import { freed, state } from "../../../assembly/memory";
import { mapAddress } from "../../../assembly/wire/field";
import { BUCKETS, freshEngine, ip4, SCRATCH } from "../world";

const CLIENT: usize = SCRATCH;
const VIRTUAL: usize = SCRATCH + 16;
const SERVER: usize = SCRATCH + 32;
const VIRTUAL_PORT: u32 = 0x5000;
const SERVER_PORT: u32 = 0x901f;
const TCP: u32 = 6;
/** Record 0 is never given out. */
const RECORDS: u32 = BUCKETS * CONNECTIONS_PER_BUCKET - 1;

function open(client: u32, port: u32): u32 {
  let index = take();
  if (index == 0) return 0;
  let connection = Connection.at(index);
  connection.protocol = <u8>TCP;
  connection.clientPort = connection.clientPortAgain = <u16>port;
  connection.virtualPort = <u16>VIRTUAL_PORT;
  connection.serverPort = <u16>SERVER_PORT;
  connection.client = connection.clientAgain = client;
  connection.setVirtual(VIRTUAL);
  connection.setServer(SERVER);
  insert(index);
  return index;
}

function find(from: u32, client: u32, port: u32): u32 {
  mapAddress(CLIENT, client);
  return from == FROM_CLIENT
    ? lookup(FROM_CLIENT, 4, TCP, CLIENT, port, VIRTUAL, VIRTUAL_PORT)
    : lookup(FROM_SERVER, 4, TCP, CLIENT, port, SERVER, SERVER_PORT);
}

/** A port whose connection from 10.0.0.1 has bucket 9 as its home; `from` is the first one tried. */
function crowding(from: u32): u32 {
  let port = from;
  while (bucketOf(hashClient(ip4(10, 0, 0, 1), port, TCP)) != bucketOf(9)) port++;
  return port;
}

describe("the connection table", () => {
  beforeEach(() => {
    freshEngine();
    mapAddress(VIRTUAL, ip4(10, 0, 1, 100));
    mapAddress(SERVER, ip4(10, 0, 2, 11));
  });

  it("finds a connection from both ends, and nothing else", () => {
    let index = open(ip4(10, 0, 0, 1), 4000);
    expect(find(FROM_CLIENT, ip4(10, 0, 0, 1), 4000)).toBe(index);
    expect(find(FROM_SERVER, ip4(10, 0, 0, 1), 4000)).toBe(index);
    expect(find(FROM_CLIENT, ip4(10, 0, 0, 1), 4001)).toBe(0);
    expect(find(FROM_CLIENT, ip4(10, 0, 0, 2), 4000)).toBe(0);
    expect(lookup(FROM_CLIENT, 4, 17, CLIENT, 4000, VIRTUAL, VIRTUAL_PORT)).toBe(0, "protocol");
    mapAddress(CLIENT, ip4(10, 0, 0, 1));
    expect(lookup(FROM_CLIENT, 4, TCP, CLIENT, 4000, SERVER, VIRTUAL_PORT)).toBe(0, "other address");
    expect(lookup(FROM_CLIENT, 4, TCP, CLIENT, 4000, VIRTUAL, SERVER_PORT)).toBe(0, "other port");
    expect(lookup(FROM_CLIENT, 6, TCP, CLIENT, 4000, VIRTUAL, VIRTUAL_PORT)).toBe(0, "family");
  });

  it("never gives a template for a connection", () => {
    let index = open(ip4(10, 0, 0, 1), 4000);
    Connection.at(index).set(ConnectionFlag.Template);
    expect(find(FROM_CLIENT, ip4(10, 0, 0, 1), 4000)).toBe(0);
  });

  it("forgets what was removed, once", () => {
    let index = open(ip4(10, 0, 0, 1), 4000);
    remove(index);
    remove(index);
    give(index);
    expect(find(FROM_CLIENT, ip4(10, 0, 0, 1), 4000)).toBe(0);
    expect(load<u32>(state, STATE_USED)).toBe(0);
  });

  it("gives a freed record out again, zeroed", () => {
    let first = open(ip4(10, 0, 0, 1), 4000);
    let second = open(ip4(10, 0, 0, 1), 4001);
    Connection.at(first).packets = 77;
    remove(first);
    give(first);
    let again = take();
    expect(again).toBe(first);
    expect(Connection.at(again).packets).toBe(0);
    expect(Connection.at(again).control).toBe(0, "the free list's link");
    expect(find(FROM_CLIENT, ip4(10, 0, 0, 1), 4001)).toBe(second);
  });

  it("overflows into later buckets and finds everything", () => {
    let bucket = bucketOf(9);
    let port: u32 = 0;
    for (let i: u32 = 0; i < 20; i++) {
      port = crowding(port + 1);
      store<u32>(SCRATCH + 256 + (i << 2), port);
      open(ip4(10, 0, 0, 1), port);
    }
    expect(matches(bucket, 0)).toBe(0, "the home is full");
    expect(load<u32>(bucket, BUCKET_OVERFLOW)).toBe(20 - BUCKET_PLACES);
    for (let i: u32 = 0; i < 20; i++) {
      assert(find(FROM_CLIENT, ip4(10, 0, 0, 1), load<u32>(SCRATCH + 256 + (i << 2))) != 0, `entry ${i}`);
    }
  });

  it("undoes overflow in any order of removal", () => {
    let port: u32 = 0;
    for (let i: u32 = 0; i < 20; i++) {
      port = crowding(port + 1);
      store<u32>(SCRATCH + 256 + (i << 2), open(ip4(10, 0, 0, 1), port));
    }
    // Every third, three times over: the home's entries go while those that passed it stay.
    for (let start: u32 = 0; start < 3; start++) {
      for (let i = start; i < 20; i += 3) {
        let index = load<u32>(SCRATCH + 256 + (i << 2));
        let gone = <u32>Connection.at(index).clientPort;
        remove(index);
        give(index);
        assert(find(FROM_CLIENT, ip4(10, 0, 0, 1), gone) == 0, `removed ${i}`);
        for (let j: u32 = 0; j < 20; j++) {
          let kept = j % 3 > start || (j % 3 == start && j > i);
          if (!kept) continue;
          let other = load<u32>(SCRATCH + 256 + (j << 2));
          assert(find(FROM_CLIENT, ip4(10, 0, 0, 1), Connection.at(other).clientPort) == other, `kept ${j} after ${i}`);
        }
      }
    }
    for (let hash: u32 = 0; hash < BUCKETS; hash++) {
      assert(load<u32>(bucketOf(hash), BUCKET_OVERFLOW) == 0, `overflow of bucket ${hash}`);
      assert(load<u32>(bucketOf(hash), BUCKET_PASSED) == 0, `tags that passed bucket ${hash}`);
      assert(matches(bucketOf(hash), 0) == 0xff, `places of bucket ${hash}`);
    }
  });

  it("holds as many connections as it has records, then says full, then takes again", () => {
    for (let i: u32 = 0; i < RECORDS; i++) assert(open(ip4(10, 1, i >> 8, i & 255), 5000) != 0, `connection ${i}`);
    expect(take()).toBe(0);
    expect(load<u32>(state, STATE_USED)).toBe(RECORDS);
    for (let i: u32 = 0; i < RECORDS; i++) assert(find(FROM_SERVER, ip4(10, 1, i >> 8, i & 255), 5000) != 0, `find ${i}`);
    let index = find(FROM_CLIENT, ip4(10, 1, 0, 5), 5000);
    remove(index);
    give(index);
    expect(take()).toBe(index);
  });

  it("looks no further for a tag that nobody had who passed", () => {
    let port: u32 = 0;
    for (let i: u32 = 0; i < 9; i++) {
      port = crowding(port + 1);
      open(ip4(10, 0, 0, 1), port);
    }
    let bucket = bucketOf(9);
    let passed = tagOf(hashClient(ip4(10, 0, 0, 1), port, TCP));
    expect(mayHavePassed(bucket, passed)).toBe(true);
    expect(isFurther(bucket, passed)).toBe(true);
    let others: u32 = 0;
    for (let tag: u32 = 1; tag < 0x10000; tag += 2) if (mayHavePassed(bucket, tag)) others++;
    expect(others).toBe(0x8000 / 32, "one bit of 32");
  });

  it("asks for tags and empty places at once", () => {
    let index = open(ip4(10, 0, 0, 1), 4000);
    let bucket = bucketAt(Connection.at(index).home);
    for (let tag: u32 = 1; tag < 0x10000; tag += 2) {
      assert(matchesAndEmpty(bucket, tag) == (matches(bucket, tag) | matches(bucket, 0) << 8), `tag ${tag}`);
    }
  });

  it("foresees records: those given back, and as many as are missing of those that nobody had", () => {
    let first = open(ip4(10, 0, 0, 1), 4000);
    open(ip4(10, 0, 0, 1), 4001);
    remove(first);
    give(first);
    foreseeRecords(4);
    expect(topOfFree()).toBe(freed + 4 * FREE_BYTES);
    expect(load<u32>(state, STATE_USED)).toBe(1, "foreseen is not taken");
    expect(take()).toBe(first, "the one given back goes first");
    for (let index: u32 = 3; index < 6; index++) expect(take()).toBe(index);
  });

  it("has no tag 0, which means an empty place", () => {
    for (let hash: u32 = 0; hash < 0x20000; hash += 0x101) assert(tagOf(hash) != 0, `${hash}`);
    expect(tagOf(0)).toBe(1);
  });
});
