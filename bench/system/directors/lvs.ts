// This director, with each of its drivers.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import type { DriverChoice } from "../../../host/io/driver.js";
import { BULK_PORT, FLOOD_PORT, IN, OUT, WEB_PORT, type Hall } from "../hall.js";
import { Running } from "../running.js";
import type { Contestant } from "./director.js";
import { giveThreads } from "./threads.js";

const LVSD = fileURLToPath(new URL("../../../host/daemon/main.js", import.meta.url));
const TABLE_BITS = 17;
const QUEUE_FRAMES = 2000;
const PLUG_PAUSES_MAX = 250;
const PLUG_PAUSE_MS = 20;

/** The devices of a TAP wiring; bridges connect them with the hall's. */
const TAPS = [{ tap: "tap-out", bridge: "br-out", devices: [OUT] }, { tap: "tap-in", bridge: "br-in", devices: [...IN] }];

function rules(hall: Hall): string[] {
  const both = (kind: string, port: number): string[] => [
    `-A ${kind} ${hall.virtual}:${port} -s rr`,
    ...hall.servers.map(({ address }) => `-a ${kind} ${hall.virtual}:${port} -r ${address}:${port} -m`),
  ];
  return [...both("-t", WEB_PORT), ...both("-u", FLOOD_PORT), `-A -t ${hall.virtual}:${BULK_PORT} -s rr`,
    `-a -t ${hall.virtual}:${BULK_PORT} -r ${hall.servers[0]?.address}:${BULK_PORT} -m`];
}

function tapPorts(hall: Hall): object[] {
  return [
    { name: "out", device: "tap-out", addresses: [`${hall.address}/24`, `${hall.virtual}/32`] },
    { name: "in", device: "tap-in", addresses: hall.servers.map(({ gateway }) => `${gateway}/24`) },
  ];
}

/** How a port takes a device that exists; `more` is for those with servers behind them. */
interface Attach { attach: "nic" | "xdp"; more: object }
const BY_SOCKET: Attach = { attach: "nic", more: {} };
const BY_XDP: Attach = { attach: "xdp", more: { gateway: true } };

function devicePorts(hall: Hall, { attach, more }: Attach): object[] {
  return [
    { name: "out", device: OUT, attach, addresses: [`${hall.address}/24`, `${hall.virtual}/32`] },
    ...hall.servers.map(({ gateway }, index) => ({ name: IN[index], device: IN[index], attach, addresses: [`${gateway}/24`], ...more })),
  ];
}

async function startDirector(hall: Hall, driver: DriverChoice, ports: object[]): Promise<Running> {
  const file = join(hall.folder, `director${hall.number}.yaml`);
  const socket = join(hall.folder, `director${hall.number}.sock`);
  writeFileSync(file, stringify({ "control-socket": socket, "table-bits": TABLE_BITS, driver, ports, rules: rules(hall) }));
  return Running.start(hall.namespace, `lvsd (${driver})`, [process.execPath, LVSD, "--config", file], true);
}

/** Connects the director's TAPs with the hall's devices, as docs/OPERATING.md says (wiring A). */
async function plug(hall: Hall): Promise<void> {
  const { namespace } = hall;
  for (let pauses = 0; TAPS.some(({ tap }) => namespace.tryIp([`link show dev ${tap}`]) !== ""); pauses++) {
    if (pauses === PLUG_PAUSES_MAX) throw new Error("lvsd did not open its TAP devices");
    await pause(PLUG_PAUSE_MS);
  }
  for (const { tap, bridge, devices } of TAPS) {
    namespace.ip([`link add name ${bridge} type bridge stp_state 0 mcast_snooping 0`,
      ...devices.map((device) => `link set dev ${device} master ${bridge}`),
      `link set dev ${tap} txqueuelen ${QUEUE_FRAMES} master ${bridge} up`, `link set dev ${bridge} up`]);
  }
}

/** lvs-wasm on the hall's devices themselves. */
function onDevices(driver: DriverChoice, how: Attach, name: string, about: string): Contestant {
  return {
    name, about: `lvs-wasm, ${about}`, tools: [], takes: ["streams", "packets"],
    start: async (hall) => {
      const program = await startDirector(hall, driver, devicePorts(hall, how));
      return { pids: () => [program.pid], programs: [program] };
    },
  };
}

/** lvs-wasm on TAP devices in bridges. */
function onTaps(driver: DriverChoice, about: string): Contestant {
  return {
    name: `lvs-${driver}`, about: `lvs-wasm, ${about}`, tools: [], takes: ["streams", "packets"],
    start: async (hall) => {
      const program = await startDirector(hall, driver, tapPorts(hall));
      await plug(hall);
      return { pids: () => [program.pid], programs: [program] };
    },
  };
}

export const lvsTap = onTaps("tap", "bridged TAPs, plain system calls");
export const lvsUring = onTaps("uring", "bridged TAPs, io_uring");
export const lvsNic = onDevices("uring", BY_SOCKET, "lvs-nic", "sockets on the devices themselves, io_uring");
export const lvsNicTap = onDevices("tap", BY_SOCKET, "lvs-nic-plain", "sockets on the devices themselves, plain system calls");
/** What docs/OPERATING.md recommends: the devices shared, everything else left to the director. */
export const lvsAuto = onDevices("auto", BY_SOCKET, "lvs-auto", "shared devices, the rest as the director finds best");
export const lvsXdp = onDevices("auto", BY_XDP, "lvs-xdp", "AF_XDP on the devices themselves");
/** As nft-core: what arrives is received on the director's core too. */
export const lvsXdpThreads: Contestant = {
  name: "lvs-xdp-core", about: "the same with threaded NAPI on the director's core", tools: ["ethtool", "taskset"], takes: ["packets"],
  start: async (hall, { client }) => {
    const program = await startDirector(hall, "auto", devicePorts(hall, BY_XDP));
    const threads = giveThreads(hall, client);
    return { pids: () => [program.pid, ...threads], programs: [program] };
  },
};
