// Counters begin at zero: of a record that is used anew, and at -Z.

import {
  CONTROL_BASE, CONTROL_SERVICES_USED, CONTROL_WORKERS, COUNTERS_BASE, COUNTERS_END, COUNTERS_WORKER_BYTES, COUNTER_BYTES,
  RATES_BASE, RATE_BYTES, RATE_LAST, RATE_VALUE, RATE_ZERO, REQUEST_BASE, REQUEST_PROTOCOL,
} from "../abi/layout";
import { ControlError } from "../abi/enums";
import { SERVICES_MAX } from "../abi/limits";
import { family, requestMark, requested } from "./request";
import { now } from "../memory";
import { Server } from "../service/server";
import { Service } from "../service/service";

const R: usize = REQUEST_BASE;

/** A record is used anew: its counters begin at zero. */
export function clearCounters(place: u32): void {
  for (let worker: u32 = 0; worker < load<u32>(CONTROL_BASE, CONTROL_WORKERS); worker++) {
    memory.fill(<usize>COUNTERS_BASE + <usize>worker * COUNTERS_WORKER_BYTES + <usize>place * COUNTER_BYTES, 0, COUNTER_BYTES);
  }
  memory.fill(<usize>RATES_BASE + <usize>place * RATE_BYTES, 0, RATE_BYTES);
}

/**
 * -Z: the last sums are subtracted from now on. What was counted since is in the next ones, and so is listed after all
 * (as the kernel: recording figures_zeroed).
 */
export function zeroPlace(place: u32): void {
  let rate = <usize>RATES_BASE + <usize>place * RATE_BYTES;
  for (let counter: usize = 0; counter < COUNTERS_END; counter += 8) {
    store<u64>(rate + counter, load<u64>(rate + counter, RATE_LAST), RATE_ZERO);
    store<u64>(rate + counter, 0, RATE_VALUE);
  }
}

function zeroService(index: u32): void {
  zeroPlace(index);
  for (let at = Service.at(index).servers; at != 0; at = Server.at(at).next) zeroPlace(SERVICES_MAX + at);
}

export function zero(): i32 {
  if (load<u8>(R, REQUEST_PROTOCOL) != 0 || requestMark() != 0) {
    let index = requested();
    if (index == 0) return <i32>ControlError.NoService;
    zeroService(index);
    return 0;
  }
  zeroPlace(0);
  let used = load<u32>(CONTROL_BASE, CONTROL_SERVICES_USED);
  for (let index: u32 = 1; index < used; index++) if (Service.at(index).family != 0) zeroService(index);
  return 0;
}
