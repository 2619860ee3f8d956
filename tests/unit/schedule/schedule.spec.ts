// The schedulers' rules on hand-made services. Servers are met newest first: index 4, 3, 2, 1.

import { Scheduler, ServerFlag } from "../../../assembly/abi/enums";
import { schedule, scheduleChanged, scheduleRemoved } from "../../../assembly/schedule/table";
import { Server } from "../../../assembly/service/server";
import { Service } from "../../../assembly/service/service";
import { freshEngine, SCRATCH } from "../world";

const SERVICE: u32 = 1;

/** A service of servers 1, 2, ... with these weights. */
function service(scheduler: Scheduler, weights: u32[]): void {
  let record = Service.at(SERVICE);
  record.family = 4;
  record.scheduler = <u32>scheduler;
  for (let i = 0; i < weights.length; i++) {
    let server = Server.at(i + 1);
    server.family = 4;
    server.weight = weights[i];
    server.flags = <u32>ServerFlag.Available;
    server.next = i;
    record.servers = i + 1;
    record.serversCount++;
    scheduleChanged(SERVICE);
  }
}

/** Server numbers of the next `count` connections, as a string of digits. */
function chosen(count: u32): string {
  let text = "";
  for (let i: u32 = 0; i < count; i++) text += schedule(SERVICE, SCRATCH, 0, SCRATCH + 16).toString();
  return text;
}

function load2(index: u32, active: u32, inactive: u32): void {
  Server.at(index).active = active;
  Server.at(index).inactive = inactive;
}

describe("rr", () => {
  beforeEach(freshEngine);

  it("takes one after the other", () => {
    service(Scheduler.Rr, [1, 1, 1, 1]);
    expect(chosen(9)).toBe("432143214");
  });

  it("passes by who has no weight or no room, and answers 0 when nobody is left", () => {
    service(Scheduler.Rr, [1, 0, 1, 1]);
    Server.at(4).flags |= <u32>ServerFlag.Overload;
    expect(chosen(4)).toBe("3131");
    Server.at(1).weight = 0;
    Server.at(3).weight = 0;
    expect(chosen(1)).toBe("0");
  });

  it("goes on after the one before, when the last chosen is removed", () => {
    service(Scheduler.Rr, [1, 1, 1, 1]);
    expect(chosen(2)).toBe("43");
    scheduleRemoved(SERVICE, 3);
    Server.at(4).next = 2;
    Service.at(SERVICE).serversCount--;
    expect(chosen(3)).toBe("214");
  });

  it("of no servers is 0", () => {
    service(Scheduler.Rr, []);
    expect(chosen(1)).toBe("0");
  });
});

describe("wrr", () => {
  beforeEach(freshEngine);

  // Servers added one by one leave the current weight low: the first turn asks everybody.
  it("spreads the heavy ones between the light ones", () => {
    service(Scheduler.Wrr, [1, 2, 3]);
    expect(chosen(12)).toBe("321332321332");
  });

  it("steps by the greatest common divisor", () => {
    service(Scheduler.Wrr, [10, 20, 40]);
    expect(chosen(14)).toBe("32133323213332");
  });

  it("gives exactly the weights' shares in a period", () => {
    let weights: u32[] = [7, 0, 3, 5];
    service(Scheduler.Wrr, weights);
    let counts: u32[] = [0, 0, 0, 0];
    for (let i = 0; i < 15 * 4; i++) {
      let server = <i32>schedule(SERVICE, SCRATCH, 0, SCRATCH + 16);
      counts[server - 1]++;
    }
    for (let i = 0; i < 4; i++) assert(counts[i] == weights[i] * 4, `server ${i + 1}: ${counts[i]}`);
  });

  it("answers 0 when all are drained or full", () => {
    service(Scheduler.Wrr, [0, 0]);
    expect(chosen(1)).toBe("0");
    Server.at(1).weight = 1;
    scheduleChanged(SERVICE);
    expect(chosen(1)).toBe("1");
    Server.at(1).flags |= <u32>ServerFlag.Overload;
    expect(chosen(1)).toBe("0");
  });
});

describe("lc and wlc", () => {
  beforeEach(freshEngine);

  it("an established connection weighs 256 idle ones", () => {
    service(Scheduler.Lc, [1, 1]);
    load2(1, 1, 0);
    load2(2, 0, 255);
    expect(chosen(1)).toBe("2");
    load2(2, 0, 257);
    expect(chosen(1)).toBe("1");
    load2(2, 0, 256);
    expect(chosen(1)).toBe("2", "the first met wins a tie");
  });

  it("lc does not look at weights but at zero", () => {
    service(Scheduler.Lc, [100, 1]);
    load2(1, 2, 0);
    load2(2, 1, 0);
    expect(chosen(1)).toBe("2");
    Server.at(2).weight = 0;
    expect(chosen(1)).toBe("1");
  });

  it("wlc compares load over weight without rounding", () => {
    service(Scheduler.Wlc, [3, 1]);
    load2(1, 3, 0);
    load2(2, 1, 0);
    expect(chosen(1)).toBe("2", "a tie");
    load2(1, 2, 255);
    expect(chosen(1)).toBe("1", "768 - 1 over 3");
  });

  it("wlc does not overflow at the greatest weight and load", () => {
    service(Scheduler.Wlc, [2147483647, 2147483646]);
    load2(1, 1000000, 0);
    load2(2, 1000000, 0);
    expect(chosen(1)).toBe("1");
  });

  it("wlc passes by who has no weight or no room", () => {
    service(Scheduler.Wlc, [1, 0, 1]);
    Server.at(3).flags |= <u32>ServerFlag.Overload;
    load2(1, 1000, 0);
    expect(chosen(1)).toBe("1");
    Server.at(1).weight = 0;
    expect(chosen(1)).toBe("0");
  });
});
