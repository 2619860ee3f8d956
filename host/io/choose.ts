// Which driver moves the frames: of NICs afxdp, of TAPs and sockets the one asked for, or the fastest that this
// machine allows; of a port that has both ways, both.

import { AfxdpDriver, type QueueSocket } from "./afxdp.js";
import { BulkWatch, WatchedLists } from "./bulk.js";
import { DriverError, type Device, type Driver, type DriverChoice, type Place } from "./driver.js";
import { MixedDriver } from "./mixed.js";
import { TapDriver } from "./tap.js";
import { UringDriver } from "./uring.js";

/** A port with both ways has both names. */
export type DriverName = "tap" | "uring" | "afxdp" | "tap, afxdp" | "uring, afxdp";

/**
 * How a port's frames go, and in words why so, and what it lacks at the moment; its sockets by AF_XDP.
 */
export interface PortDriver { port: number; name: DriverName; why: string; lacks?: string; sockets: QueueSocket[] }

/** A driver that runs, and what it does for each port. */
export interface Chosen { driver: Driver; ports: PortDriver[] }

/** Opens a driver. Throws when the one asked for by name cannot be had. */
export function chooseDriver(choice: DriverChoice, place: Place): Chosen {
  const nics = place.devices.filter((device) => device.nic);
  const others = place.devices.filter((device) => device.descriptor >= 0);
  if (nics.length === 0) return chooseForDescriptors(choice, place);
  if (nics.every((device) => device.descriptor >= 0)) return chooseForBoth(choice, place, nics);
  if (others.length > 0) return mix(choice, place, nics);
  const driver = new AfxdpDriver(place);
  return { driver, ports: describeNics(driver) };
}

/** Every NIC has a socket beside, so AF_XDP may be missing. */
function chooseForBoth(choice: DriverChoice, place: Place, nics: readonly Device[]): Chosen {
  try {
    return mix(choice, place, nics);
  } catch (error) {
    if (!(error instanceof DriverError)) throw error;
    const devices = place.devices.map(({ nic, ...device }) => (nic ? { ...device, why: error.message } : device));
    return chooseForDescriptors(choice, { ...place, devices });
  }
}

/** AF_XDP, and beside it whatever suits devices with a descriptor. */
function mix(choice: DriverChoice, place: Place, nics: readonly Device[]): Chosen {
  const both = nics.filter(({ descriptor }) => descriptor >= 0);
  const watch = both.length > 0 ? new BulkWatch() : undefined;
  const mtus: number[] = [];
  for (const { index, mtu } of both) if (mtu !== undefined) mtus[index] = mtu;
  const engine = watch ? new WatchedLists(place.engine, watch, mtus) : place.engine;
  const short = new AfxdpDriver({ ...place, engine, devices: nics });
  try {
    const others = chooseForDescriptors(choice, { ...place, engine, devices: place.devices.filter(({ descriptor }) => descriptor >= 0) });
    const found = describeNics(short);
    const ports = others.ports.map((port): PortDriver => {
      const nic = found.find((one) => one.port === port.port);
      return nic ? { ...nic, name: port.name === "uring" ? "uring, afxdp" : "tap, afxdp", why: `${port.why}; ${nic.why}` } : port;
    });
    return {
      driver: new MixedDriver({ ...place, engine }, short, others.driver, watch),
      ports: [...ports, ...found.filter((one) => !ports.some(({ port }) => port === one.port))],
    };
  } catch (error) {
    short.close();
    throw error;
  }
}

function chooseForDescriptors(choice: DriverChoice, place: Place): Chosen & { driver: TapDriver | UringDriver } {
  const plain = (why: string): Chosen & { driver: TapDriver } => ({ driver: new TapDriver(place), ports: describe(place.devices, "tap", why) });
  if (choice === "tap") return plain("the configuration says so");
  try {
    const why = choice === "uring" ? "the configuration says so" : "this machine allows it";
    return { driver: new UringDriver(place), ports: describe(place.devices, "uring", why) };
  } catch (error) {
    if (error instanceof DriverError) throw error;
    const problem = (error as Error).message;
    if (choice === "uring") throw new DriverError(`driver uring: ${problem}; with "driver: auto" the director does without`);
    return plain(`uring is not to be had: ${problem}`);
  }
}

function describeNics(driver: AfxdpDriver): PortDriver[] {
  return driver.describe().map((one): PortDriver => ({ ...one, name: "afxdp" }));
}

function describe(devices: Place["devices"], name: "tap" | "uring", why: string): PortDriver[] {
  return devices.map((device) => ({
    port: device.index, name, why: device.why === undefined ? why : `${why}; without AF_XDP: ${device.why}`, sockets: [],
  }));
}
