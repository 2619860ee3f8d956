// Which driver moves the frames: the one asked for, or the fastest that this machine allows.

import { DriverError, type Driver, type DriverChoice, type Place } from "./driver.js";
import { TapDriver } from "./tap.js";
import { UringDriver } from "./uring.js";

/** A driver that runs, and in words why it is this one. */
export interface Chosen { driver: Driver; name: "tap" | "uring"; why: string }

/** Opens a driver. Throws when the one asked for by name cannot be had. */
export function chooseDriver(choice: DriverChoice, place: Place): Chosen {
  if (choice === "tap") return { driver: new TapDriver(place), name: "tap", why: "the configuration says so" };
  try {
    const driver = new UringDriver(place);
    return { driver, name: "uring", why: choice === "uring" ? "the configuration says so" : "this machine allows it" };
  } catch (error) {
    if (error instanceof DriverError) throw error;
    const problem = (error as Error).message;
    if (choice === "uring") throw new DriverError(`driver uring: ${problem}; with "driver: auto" the director does without`);
    return { driver: new TapDriver(place), name: "tap", why: `uring is not to be had: ${problem}` };
  }
}
