import {
  HANDED_BYTES, HANDED_KIND, RING_BYTES, RING_PUT, RING_READ, RING_RECORDS_BYTES, RING_TAKEN,
} from "../../../assembly/abi/layout";
import { Handed } from "../../../assembly/abi/enums";
import { giveBack, nextRecord, putRecord, reserveRecord } from "../../../assembly/base/ring";
import { random, SCRATCH, seedRandom } from "../world";

const RING: usize = SCRATCH;
const BODY: usize = 16;

/** A ring whose positions are all at `position`. */
function freshRing(position: u32): void {
  memory.fill(RING, 0, RING_BYTES);
  store<u32>(RING, position, RING_PUT);
  store<u32>(RING, position, RING_TAKEN);
  store<u32>(RING, position, RING_READ);
}

/** Puts a record that bears a number; false when there is no room. */
function put(bytes: u32, number: u32): bool {
  let record = reserveRecord(RING, bytes);
  if (record == 0) return false;
  store<u32>(record, <u32>Handed.Frame, HANDED_KIND);
  store<u32>(record + BODY, number);
  store<u32>(record + bytes - 4, number);
  putRecord(RING, record);
  return true;
}

/** The number of the next record, 0 when there is none; both its ends must be whole. */
function take(): u32 {
  let record = nextRecord(RING);
  if (record == 0) return 0;
  let number = load<u32>(record + BODY);
  expect(load<u32>(record + load<u32>(record, HANDED_BYTES) - 4)).toBe(number, "the record's end");
  return number;
}

describe("a ring between two workers", () => {
  it("has nothing at first", () => {
    freshRing(0);
    expect(take()).toBe(0);
  });

  it("gives records in the order they were put", () => {
    freshRing(0);
    expect(put(192, 1)).toBe(true);
    expect(put(64, 2)).toBe(true);
    expect(take()).toBe(1);
    expect(take()).toBe(2);
    expect(take()).toBe(0);
  });

  it("shows nobody a record that is only reserved", () => {
    freshRing(0);
    let record = reserveRecord(RING, 64);
    store<u32>(record, <u32>Handed.Frame, HANDED_KIND);
    expect(nextRecord(RING)).toBe(0);
    putRecord(RING, record);
    expect(nextRecord(RING)).toBe(record);
  });

  it("takes records until it is exactly full, and again when they have been given back", () => {
    freshRing(0);
    for (let number: u32 = 1; number <= RING_RECORDS_BYTES / 65536; number++) expect(put(65536, number)).toBe(true);
    expect(put(64, 99)).toBe(false, "full");
    expect(take()).toBe(1);
    expect(put(64, 99)).toBe(false, "read, but not given back");
    giveBack(RING);
    expect(put(65536, 99)).toBe(true, "given back");
    expect(put(64, 100)).toBe(false, "full again");
  });

  it("keeps every record in one piece at its end", () => {
    freshRing(RING_RECORDS_BYTES - 128);
    expect(put(192, 1)).toBe(true);
    expect(put(64, 2)).toBe(true);
    expect(take()).toBe(1);
    expect(take()).toBe(2);
    giveBack(RING);
    expect(load<u32>(RING, RING_TAKEN)).toBe(RING_RECORDS_BYTES + 256, "the rest that was left out is given back too");
  });

  it("counts the rest that it leaves out at its end as used", () => {
    freshRing(RING_RECORDS_BYTES - 128);
    expect(put(RING_RECORDS_BYTES - 64, 1)).toBe(false);
    expect(put(RING_RECORDS_BYTES - 128, 1)).toBe(true);
    expect(put(64, 2)).toBe(false);
  });

  it("goes on where positions wrap", () => {
    freshRing(<u32>0 - 64);
    expect(put(64, 1)).toBe(true);
    expect(put(128, 2)).toBe(true);
    expect(load<u32>(RING, RING_PUT)).toBe(128);
    expect(take()).toBe(1);
    expect(take()).toBe(2);
    giveBack(RING);
    expect(load<u32>(RING, RING_TAKEN)).toBe(128);
  });

  it("loses and repeats nothing, whatever the sizes", () => {
    freshRing(0);
    seedRandom(5);
    let given: u32 = 0;
    let taken: u32 = 0;
    for (let turn = 0; turn < 20000; turn++) {
      if (random(2) == 0 && put(64 * (1 + random(random(20) == 0 ? 1024 : 30)), given + 1)) given++;
      if (random(2) == 0 && taken < given) expect(take()).toBe(++taken);
      if (random(3) == 0) giveBack(RING);
    }
    while (taken < given) expect(take()).toBe(++taken);
    expect(take()).toBe(0);
    expect(given > 5000).toBe(true, "records went through");
  });
});
