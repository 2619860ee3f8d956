import { CONTROL_BASE, CONTROL_WORKERS, STATE_USED } from "../../../assembly/abi/layout";
import { Connection } from "../../../assembly/connection/connection";
import { hashClient } from "../../../assembly/connection/table";
import { take } from "../../../assembly/connection/free";
import { ownerOf } from "../../../assembly/connection/owner";
import { attachWorker, bucketMask, enterCommons, inCommons, leaveCommons, lookAt, table } from "../../../assembly/memory";
import { freshEngine } from "../world";

/** The engine's memory, for so many workers of whom we are the given one. */
function freshWorker(workers: u32, worker: u32): void {
  freshEngine();
  store<u32>(CONTROL_BASE, workers, CONTROL_WORKERS);
  attachWorker(worker);
}

describe("the owner of a client's packets", () => {
  it("is the only worker there is", () => {
    freshWorker(1, 0);
    expect(ownerOf(0)).toBe(0);
    expect(ownerOf(0xffffffff)).toBe(0);
  });

  it("is below the number of workers, at both ends", () => {
    for (let workers: u32 = 2; workers <= 8; workers++) {
      freshWorker(workers, 0);
      expect(ownerOf(0)).toBe(0);
      expect(ownerOf(0xffffffff)).toBe(workers - 1);
    }
  });

  it("is each of three equally often, and leaves each all of its buckets", () => {
    freshWorker(3, 0);
    let counts = new StaticArray<u32>(3);
    let buckets = new StaticArray<bool>(3 * 256);
    for (let port: u32 = 0; port < 30000; port++) {
      let hash = hashClient(0x3201000a, port, 6);
      counts[ownerOf(hash)]++;
      buckets[ownerOf(hash) * 256 + (hash & bucketMask)] = true;
    }
    for (let worker = 0; worker < 3; worker++) {
      expect(counts[worker] > 9500).toBe(true, "a third of the clients");
      let used = 0;
      for (let bucket = 0; bucket < 256; bucket++) if (buckets[worker * 256 + bucket]) used++;
      expect(used).toBe(256);
    }
  });
});

describe("the commons", () => {
  it("are a table of their own, whose connections every worker finds by their number", () => {
    freshWorker(2, 1);
    enterCommons();
    expect(inCommons()).toBe(true);
    let index = take();
    let common = Connection.at(index);
    let number = common.number;
    expect(load<u32>(table, STATE_USED)).toBe(1);
    leaveCommons();
    expect(inCommons()).toBe(false);
    expect(load<u32>(table, STATE_USED)).toBe(0, "our own is empty");
    expect(take()).toBe(index);
    expect(changetype<usize>(Connection.at(index))).not.toBe(changetype<usize>(common), "a record of ours");
    expect(lookAt(2)).toBe(1, "from our own to the commons");
    expect(changetype<usize>(Connection.at(index))).toBe(changetype<usize>(common));
    expect(lookAt(1)).toBe(2, "and back");
    expect(Connection.shardOf(number)).toBe(2);
    attachWorker(0);
    expect(changetype<usize>(Connection.numbered(number))).toBe(changetype<usize>(common));
  });

  it("are a lone worker's own table", () => {
    freshWorker(1, 0);
    let index = take();
    enterCommons();
    expect(inCommons()).toBe(false);
    leaveCommons();
    expect(Connection.at(index).number).toBe(index, "a number is an index");
  });
});
