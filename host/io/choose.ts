// Which driver moves the frames: of NICs afxdp, of TAPs the one asked for, or the fastest that this machine allows.

import { AfxdpDriver } from "./afxdp.js";
import { DriverError, type Driver, type DriverChoice, type Place } from "./driver.js";
import { MixedDriver } from "./mixed.js";
import { TapDriver } from "./tap.js";
import { UringDriver } from "./uring.js";

export type DriverName = "tap" | "uring" | "afxdp";

/** How a port's frames go, and in words why so; sockets by descriptor, whose statistics anybody may ask for. */
export interface PortDriver { port: number; name: DriverName; why: string; sockets: number[] }

/** A driver that runs, and what it does for each port. */
export interface Chosen { driver: Driver; ports: PortDriver[] }

/** Opens a driver. Throws when the one asked for by name cannot be had. */
export function chooseDriver(choice: DriverChoice, place: Place): Chosen {
  const taps = place.devices.filter((device) => !device.nic);
  if (taps.length === place.devices.length) return chooseForTaps(choice, place);
  const nics = new AfxdpDriver(place);
  const ports = nics.describe().map(({ port, why, descriptors }): PortDriver => ({ port, name: "afxdp", why, sockets: descriptors }));
  if (taps.length === 0) return { driver: nics, ports };
  const driver = new MixedDriver(nics, new TapDriver({ ...place, devices: taps }), place.wake);
  return { driver, ports: [...ports, ...describe(taps, "tap", "one sleep has to wait for TAPs and NICs")] };
}

function chooseForTaps(choice: DriverChoice, place: Place): Chosen {
  const plain = (why: string): Chosen => ({ driver: new TapDriver(place), ports: describe(place.devices, "tap", why) });
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

function describe(devices: Place["devices"], name: DriverName, why: string): PortDriver[] {
  return devices.map((device) => ({ port: device.index, name, why, sockets: [] }));
}
