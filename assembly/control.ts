// What an operator may change: validate, then change the tables. An invalid request changes nothing.

import {
  ABI_VERSION, CONTROL_ABI, CONTROL_BASE, CONTROL_BUCKET_BITS, CONTROL_LAYOUT, CONTROL_MAGIC, CONTROL_NOW_MS,
  CONTROL_WORKERS, LAYOUT_VERSION, MAGIC, REQUEST_ADDRESS, REQUEST_BASE, REQUEST_PREFIX, REQUEST_VALUES, STATE_CAUSE,
} from "./abi/layout";
import { ControlError, Operation } from "./abi/enums";
import { BUCKET_BITS_MAX, BUCKET_BITS_MIN, WORKERS_MAX } from "./abi/limits";
import { zero } from "./control/counters";
import {
  announcePorts, localAdd, localDelete, markAdd, markClear, neighborAdd, portSet, routeAdd,
} from "./control/network";
import { bits, family, inbound } from "./control/request";
import { serverAdd, serverDelete, serverEdit } from "./control/servers";
import { flush, serviceAdd, serviceDelete, serviceEdit } from "./control/services";
import { sysctlSet, timeoutsSet } from "./control/settings";
import { initHelpers, setHelperPorts } from "./helper/table";
import { removeNeighbor } from "./link/neighbor";
import { removeRoute } from "./link/route";
import { setNow, state } from "./memory";
import { NO_CAUSE, beginBatch } from "./packet/slot";
import { initSctp } from "./state/sctp";
import { initTcp } from "./state/tcp";
import { initTimeouts } from "./state/timeouts";
import { syncStart, syncStop } from "./sync/daemon";
import { initSysctls, settingsChanged } from "./sysctl";
import { initCrc } from "./wire/sctp";

const R: usize = REQUEST_BASE;

/** Prepares a fresh memory. The host has written workers, bits, seed and the tables' place. */
export function init(): i32 {
  let bits = load<u32>(CONTROL_BASE, CONTROL_BUCKET_BITS);
  let workers = load<u32>(CONTROL_BASE, CONTROL_WORKERS);
  if (bits < BUCKET_BITS_MIN || bits > BUCKET_BITS_MAX) return <i32>ControlError.Range;
  if (workers == 0 || workers > WORKERS_MAX) return <i32>ControlError.Range;
  store<u32>(CONTROL_BASE, ABI_VERSION, CONTROL_ABI);
  store<u32>(CONTROL_BASE, LAYOUT_VERSION, CONTROL_LAYOUT);
  initSysctls();
  initTimeouts();
  initTcp();
  initSctp();
  initCrc();
  initHelpers();
  store<u32>(CONTROL_BASE, MAGIC, CONTROL_MAGIC);
  return 0;
}

/** Does one operation with the arguments of the request record; below zero is a ControlError. */
export function control(operation: u32): i32 {
  setNow(load<u32>(CONTROL_BASE, CONTROL_NOW_MS));
  beginBatch();
  store<u32>(state, NO_CAUSE, STATE_CAUSE);
  // Before and after, since other workers go on meanwhile.
  settingsChanged();
  let answer = perform(operation);
  settingsChanged();
  return answer;
}

function perform(operation: u32): i32 {
  switch (<i32>operation) {
    case Operation.ServiceAdd: return serviceAdd();
    case Operation.ServiceEdit: return serviceEdit();
    case Operation.ServiceDelete: return serviceDelete();
    case Operation.ServerAdd: return serverAdd();
    case Operation.ServerEdit: return serverEdit();
    case Operation.ServerDelete: return serverDelete();
    case Operation.Flush: return flush();
    case Operation.Zero: return zero();
    case Operation.TimeoutsSet: return timeoutsSet();
    case Operation.SysctlSet: return sysctlSet();
    case Operation.PortSet: return portSet();
    case Operation.LocalAdd: return localAdd();
    case Operation.LocalDelete: return localDelete();
    case Operation.RouteAdd: return routeAdd();
    case Operation.RouteDelete: return removeRoute(family(), R + REQUEST_ADDRESS, bits(REQUEST_PREFIX));
    case Operation.NeighborAdd: return neighborAdd();
    case Operation.NeighborDelete: return removeNeighbor(family(), inbound(), R + REQUEST_ADDRESS);
    case Operation.MarkAdd: return markAdd();
    case Operation.MarkClear: return markClear();
    case Operation.Announce: return announcePorts();
    case Operation.SyncStart: return syncStart();
    case Operation.SyncStop: return syncStop();
    case Operation.HelperPortsSet: return setHelperPorts(R + REQUEST_VALUES);
    default: return <i32>ControlError.Unsupported;
  }
}
