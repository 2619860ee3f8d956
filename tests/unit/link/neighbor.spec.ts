// Neighbours: learnt, permanent, forgotten; frames wait for an answer and leave in order.

import {
  CONTROL_BASE, CONTROL_NEIGHBORS_HEARD, ENTRY_BYTES, ENTRY_FRAME, LIST_ENTRY_BYTES, NEIGHBOR_PENDING, NEIGHBOR_STATE,
  PENDING_FRAME_BYTES, PORT_FLAGS, PORT_MTU,
} from "../../../assembly/abi/layout";
import { DropReason, NeighborState, PortFlag } from "../../../assembly/abi/enums";
import { NEIGHBORS_HEARD_MAX, NEIGHBORS_MAX, PENDING_PER_NEIGHBOR } from "../../../assembly/abi/limits";
import { portAt } from "../../../assembly/link/local";
import { findNeighbor, neighborAt, removeNeighbor, touchNeighbor } from "../../../assembly/link/neighbor";
import { addPermanent, learn, sweepNeighbors, transmit } from "../../../assembly/link/transmit";
import { firstWaiting, GIVEN_UP, takeWaiting } from "../../../assembly/link/waiting";
import { drops, setNow, transmitList } from "../../../assembly/memory";
import { beginBatch, transmitCount } from "../../../assembly/packet/slot";
import { mapAddress } from "../../../assembly/wire/field";
import { freshEngine, ip4, SCRATCH } from "../world";

const ADDRESS: usize = SCRATCH;
const MAC: usize = SCRATCH + 16;
const FRAME: u32 = <u32>SCRATCH + 256;
const PORT: u32 = 1;

function dropped(reason: DropReason): u64 {
  return load<u64>(drops + (<usize>reason << 3));
}

function stateOf(index: u32): u32 {
  return load<u8>(neighborAt(index), NEIGHBOR_STATE);
}

describe("neighbours", () => {
  beforeEach(() => {
    freshEngine();
    store<u32>(portAt(PORT), <u32>PortFlag.Up, PORT_FLAGS);
    store<u32>(portAt(PORT), 1500, PORT_MTU);
    mapAddress(ADDRESS, ip4(10, 0, 0, 9));
    store<u64>(MAC, 0x0000060504030202);
    beginBatch();
  });

  it("are known by address and port", () => {
    let index = touchNeighbor(4, PORT, ADDRESS);
    expect(findNeighbor(4, PORT, ADDRESS)).toBe(index);
    expect(touchNeighbor(4, PORT, ADDRESS)).toBe(index);
    expect(findNeighbor(4, 2, ADDRESS)).toBe(0, "another port");
    expect(stateOf(index)).toBe(<u32>NeighborState.Incomplete);
    expect(removeNeighbor(4, PORT, ADDRESS)).toBe(0);
    expect(findNeighbor(4, PORT, ADDRESS)).toBe(0);
  });

  it("once learnt, get frames at once, both hardware addresses written", () => {
    let index = touchNeighbor(4, PORT, ADDRESS);
    learn(4, PORT, ADDRESS, MAC);
    transmit(index, FRAME, 60, 0);
    expect(transmitCount()).toBe(1);
    expect(load<u32>(transmitList, ENTRY_FRAME)).toBe(FRAME);
    expect(load<u32>(transmitList, ENTRY_BYTES)).toBe(60);
    expect(memory.compare(FRAME, MAC, 6)).toBe(0);
  });

  it("unknown: frames wait, and leave in the order they came", () => {
    let index = touchNeighbor(4, PORT, ADDRESS);
    for (let i: u32 = 0; i < 3; i++) {
      store<u32>(FRAME, 0xabc0 + i, 20);
      transmit(index, FRAME, 60 + i, 0);
    }
    expect(load<u16>(neighborAt(index), NEIGHBOR_PENDING)).toBe(3);
    beginBatch();
    learn(4, PORT, ADDRESS, MAC);
    expect(transmitCount()).toBe(3);
    for (let i: u32 = 0; i < 3; i++) {
      let entry = transmitList + <usize>i * LIST_ENTRY_BYTES;
      expect(load<u32>(entry, ENTRY_BYTES)).toBe(60 + i);
      expect(load<u32>(load<u32>(entry, ENTRY_FRAME), 20)).toBe(0xabc0 + i);
    }
    expect(load<u16>(neighborAt(index), NEIGHBOR_PENDING)).toBe(0);
  });

  it("of too many waiting frames the oldest are dropped and counted", () => {
    let index = touchNeighbor(4, PORT, ADDRESS);
    for (let i: u32 = 0; i < PENDING_PER_NEIGHBOR + 2; i++) transmit(index, FRAME, 60 + i, 0);
    expect(dropped(DropReason.NeighborUnreachable)).toBe(2);
    expect(<u32>load<u16>(neighborAt(index), NEIGHBOR_PENDING)).toBe(PENDING_PER_NEIGHBOR);
    expect(load<u32>(firstWaiting(index), PENDING_FRAME_BYTES)).toBe(62);
  });

  it("that never answer are given up with what waits", () => {
    let index = touchNeighbor(4, PORT, ADDRESS);
    transmit(index, FRAME, 60, 0);
    for (let second: u32 = 2; second < 8; second++) {
      setNow(second * 1000);
      sweepNeighbors();
    }
    expect(findNeighbor(4, PORT, ADDRESS)).toBe(0);
    expect(dropped(DropReason.NeighborUnreachable)).toBe(1);
  });

  it("that never answer leave what waited to those who tell its senders, in the order it came", () => {
    let index = touchNeighbor(4, PORT, ADDRESS);
    for (let i: u32 = 0; i < 2; i++) {
      store<u32>(FRAME, 0xabc0 + i, 20);
      transmit(index, FRAME, 60 + i, 0);
    }
    for (let second: u32 = 2; second < 4; second++) {
      setNow(second * 1000);
      expect(sweepNeighbors()).toBe(false);
      expect(firstWaiting(GIVEN_UP)).toBe(0);
    }
    setNow(4000);
    expect(sweepNeighbors()).toBe(true);
    for (let i: u32 = 0; i < 2; i++) {
      let waiting = firstWaiting(GIVEN_UP);
      expect(load<u32>(waiting, PENDING_FRAME_BYTES)).toBe(60 + i);
      expect(load<u32>(takeWaiting(waiting), 20)).toBe(0xabc0 + i);
    }
    expect(firstWaiting(GIVEN_UP)).toBe(0);
  });

  it("that the operator removes leave nothing to tell", () => {
    transmit(touchNeighbor(4, PORT, ADDRESS), FRAME, 60, 0);
    removeNeighbor(4, PORT, ADDRESS);
    expect(firstWaiting(GIVEN_UP)).toBe(0);
    expect(dropped(DropReason.NeighborUnreachable)).toBe(1);
  });

  it("only heard of, get frames at once too, and are forgotten after a minute when nothing is sent to them", () => {
    learn(4, PORT, ADDRESS, MAC);
    let heard = findNeighbor(4, PORT, ADDRESS);
    expect(stateOf(heard)).toBe(<u32>NeighborState.Heard);
    transmit(touchNeighbor(4, PORT, ADDRESS), FRAME, 60, 0);
    expect(transmitCount()).toBe(1);
    expect(stateOf(heard)).toBe(<u32>NeighborState.Reachable);
    mapAddress(ADDRESS, ip4(10, 0, 0, 10));
    learn(4, PORT, ADDRESS, MAC);
    setNow(60999);
    sweepNeighbors();
    expect(findNeighbor(4, PORT, ADDRESS)).not.toBe(0);
    setNow(61000);
    sweepNeighbors();
    expect(findNeighbor(4, PORT, ADDRESS)).toBe(0);
    expect(stateOf(heard)).toBe(<u32>NeighborState.Reachable);
  });

  it("only heard of, take a quarter of the table, and no place of others", () => {
    let mine = touchNeighbor(4, PORT, ADDRESS);
    learn(4, PORT, ADDRESS, MAC);
    setNow(5000);
    for (let i: u32 = 0; i < NEIGHBORS_MAX + 10; i++) {
      mapAddress(ADDRESS, ip4(10, 1, 0, 0) + bswap<u32>(i));
      learn(4, PORT, ADDRESS, MAC);
    }
    expect(load<u32>(CONTROL_BASE, CONTROL_NEIGHBORS_HEARD)).toBe(NEIGHBORS_HEARD_MAX);
    expect(stateOf(mine)).toBe(<u32>NeighborState.Reachable);
    // Those that something is sent to need all places: strangers go first.
    for (let i: u32 = 0; i < NEIGHBORS_MAX - 2; i++) {
      mapAddress(ADDRESS, ip4(10, 2, 0, 0) + bswap<u32>(i));
      touchNeighbor(4, PORT, ADDRESS);
    }
    expect(load<u32>(CONTROL_BASE, CONTROL_NEIGHBORS_HEARD)).toBe(0);
    expect(stateOf(mine)).toBe(<u32>NeighborState.Reachable);
    mapAddress(ADDRESS, ip4(10, 3, 0, 0));
    learn(4, PORT, ADDRESS, MAC);
    expect(findNeighbor(4, PORT, ADDRESS)).toBe(0);
  });

  it("set by the operator do not believe the wire", () => {
    let index = <u32>addPermanent(4, PORT, ADDRESS, MAC);
    store<u64>(MAC + 8, 0x0000999999999902);
    learn(4, PORT, ADDRESS, MAC + 8);
    transmit(index, FRAME, 60, 0);
    expect(memory.compare(FRAME, MAC, 6)).toBe(0);
    expect(stateOf(index)).toBe(<u32>NeighborState.Permanent);
  });
});
