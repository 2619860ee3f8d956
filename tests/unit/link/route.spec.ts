// Routes: the longest prefix wins, whatever the order; gateways stand in for targets.

import { NEIGHBORS_BASE, NEIGHBOR_BYTES } from "../../../assembly/abi/layout";
import { ControlError } from "../../../assembly/abi/enums";
import { ROUTES_MAX } from "../../../assembly/abi/limits";
import { addRoute, findRoute, hopPort, nextHop, removeRoute } from "../../../assembly/link/route";
import { mapAddress, sameAddress } from "../../../assembly/wire/field";
import { freshEngine, ip4, SCRATCH } from "../world";

const TARGET: usize = SCRATCH;
const GATEWAY: usize = SCRATCH + 16;
const ADDRESS: usize = SCRATCH + 32;

function route(address: u32, bits: u32, port: u32): u32 {
  mapAddress(ADDRESS, address);
  memory.fill(GATEWAY, 0, 16);
  return addRoute(4, ADDRESS, 96 + bits, GATEWAY, port);
}

function found(address: u32): u32 {
  mapAddress(TARGET, address);
  return findRoute(4, TARGET);
}

describe("routes", () => {
  beforeEach(freshEngine);

  it("there is none in the beginning", () => {
    expect(found(ip4(10, 0, 0, 1))).toBe(0);
    expect(nextHop(4, TARGET)).toBe(0);
  });

  it("the longest prefix wins, in any order of adding", () => {
    let host = route(ip4(10, 1, 2, 3), 32, 1);
    let all = route(0, 0, 2);
    let net = route(ip4(10, 1, 2, 0), 24, 3);
    let wide = route(ip4(10, 0, 0, 0), 8, 4);
    expect(found(ip4(10, 1, 2, 3))).toBe(host);
    expect(found(ip4(10, 1, 2, 4))).toBe(net);
    expect(found(ip4(10, 1, 3, 4))).toBe(wide);
    expect(found(ip4(11, 1, 3, 4))).toBe(all);
  });

  it("each prefix length beats the one before", () => {
    for (let bits: u32 = 0; bits <= 32; bits++) {
      let added = route(ip4(170, 170, 170, 170), bits, 1);
      assert(found(ip4(170, 170, 170, 170)) == added, `${bits} bits`);
    }
    for (let bits: u32 = 32; bits > 0; bits--) {
      mapAddress(ADDRESS, ip4(170, 170, 170, 170));
      assert(removeRoute(4, ADDRESS, 96 + bits) == 0, `removing ${bits}`);
      assert(found(ip4(170, 170, 170, 170)) == bits, `back to ${bits - 1} bits`);
    }
  });

  it("families do not meet", () => {
    route(0, 0, 1);
    mapAddress(TARGET, ip4(10, 0, 0, 1));
    expect(findRoute(6, TARGET)).toBe(0);
  });

  it("the same prefix again is a change, not a second route", () => {
    let first = route(ip4(10, 0, 0, 0), 8, 1);
    expect(route(ip4(10, 0, 0, 0), 8, 2)).toBe(first);
    expect(found(ip4(10, 9, 9, 9))).toBe(first);
    expect(hopPort(nextHop(4, TARGET))).toBe(2);
  });

  it("a gateway is the neighbour, on link the target is", () => {
    mapAddress(ADDRESS, 0);
    mapAddress(GATEWAY, ip4(10, 0, 0, 254));
    addRoute(4, ADDRESS, 96, GATEWAY, 1);
    mapAddress(TARGET, ip4(8, 8, 8, 8));
    let hop = nextHop(4, TARGET);
    expect(sameAddress(<usize>NEIGHBORS_BASE + <usize>hop * NEIGHBOR_BYTES, GATEWAY)).toBe(true);
    route(ip4(8, 8, 8, 0), 24, 1);
    mapAddress(TARGET, ip4(8, 8, 8, 8));
    let direct = nextHop(4, TARGET);
    expect(sameAddress(<usize>NEIGHBORS_BASE + <usize>direct * NEIGHBOR_BYTES, TARGET)).toBe(true);
  });

  it("a full table says so, and a removed route makes room", () => {
    for (let i: u32 = 1; i < ROUTES_MAX; i++) assert(<i32>route(ip4(10, 0, 0, i), 32, 1) > 0, `route ${i}`);
    expect(<i32>route(ip4(10, 0, 1, 0), 32, 1)).toBe(<i32>ControlError.Full);
    mapAddress(ADDRESS, ip4(10, 0, 0, 7));
    expect(removeRoute(4, ADDRESS, 128)).toBe(0);
    expect(removeRoute(4, ADDRESS, 128)).toBe(<i32>ControlError.NotFound);
    expect(<i32>route(ip4(10, 0, 1, 0), 32, 1)).toBe(7);
  });
});
