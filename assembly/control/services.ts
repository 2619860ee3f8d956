// Virtual services, added, edited, deleted.

import {
  CONTROL_BASE, CONTROL_SERVICES_USED, REQUEST_ADDRESS, REQUEST_BASE, REQUEST_ENGINE, REQUEST_FLAGS, REQUEST_PORT,
  REQUEST_PREFIX, REQUEST_PROTOCOL, REQUEST_SCHEDULER, REQUEST_TIMEOUT_S, SERVICE_BYTES,
} from "../abi/layout";
import { ControlError } from "../abi/enums";
import { SERVICES_MAX } from "../abi/limits";
import { clearCounters } from "./counters";
import { family, isFamily, requestMark, requested } from "./request";
import { beginSchedule, endSchedule, isScheduler } from "../schedule/table";
import { nextOrder } from "../service/order";
import { detach } from "../service/removed";
import { countServing, endTracking, Service, serviceHead } from "../service/service";
import { copyAddress } from "../wire/field";

const R: usize = REQUEST_BASE;
/** The greatest number of a persistence engine; 0 is none. */
const SIP_ENGINE: u32 = 1;

function checkService(): i32 {
  if (!isFamily(family())) return <i32>ControlError.Invalid;
  if (!isScheduler(load<u32>(R, REQUEST_SCHEDULER)) || load<u32>(R, REQUEST_ENGINE) > SIP_ENGINE) return <i32>ControlError.NoScheduler;
  return 0;
}

export function serviceAdd(): i32 {
  if (requested() != 0) return <i32>ControlError.Exists;
  let error = checkService();
  if (error < 0) return error;
  let used = max<u32>(load<u32>(CONTROL_BASE, CONTROL_SERVICES_USED), 1);
  let index: u32 = 1;
  while (index < used && Service.at(index).family != 0) index++;
  if (index == SERVICES_MAX) return <i32>ControlError.Full;
  let service = Service.at(index);
  memory.fill(changetype<usize>(service), 0, SERVICE_BYTES);
  clearCounters(index);
  copyAddress(service.address, R + REQUEST_ADDRESS);
  service.fwmark = requestMark();
  service.port = load<u16>(R, REQUEST_PORT);
  service.protocol = load<u8>(R, REQUEST_PROTOCOL);
  service.family = <u8>family();
  service.order = nextOrder();
  if (!writeService(service, index)) {
    memory.fill(changetype<usize>(service), 0, SERVICE_BYTES);
    return <i32>ControlError.Full;
  }
  let head = serviceHead(service.family, service.fwmark, service.protocol, service.address, service.port);
  service.next = load<u32>(head);
  store<u32>(head, index);
  if (index == used) store<u32>(CONTROL_BASE, used + 1, CONTROL_SERVICES_USED);
  countServing(service.family, 1);
  return <i32>index;
}

/** False, and nothing changed, when the scheduler has no room for another table. */
function writeService(service: Service, index: u32): bool {
  if (!beginSchedule(index, load<u32>(R, REQUEST_SCHEDULER))) return false;
  service.flags = load<u32>(R, REQUEST_FLAGS);
  service.timeoutS = load<u32>(R, REQUEST_TIMEOUT_S);
  service.prefix = load<u32>(R, REQUEST_PREFIX);
  service.engine = load<u32>(R, REQUEST_ENGINE);
  return true;
}

export function serviceEdit(): i32 {
  let index = requested();
  if (index == 0) return <i32>ControlError.NoService;
  let error = checkService();
  if (error < 0) return error;
  return writeService(Service.at(index), index) ? 0 : <i32>ControlError.Full;
}

export function serviceDelete(): i32 {
  let index = requested();
  if (index == 0) return <i32>ControlError.NoService;
  dropService(index);
  return 0;
}

function dropService(index: u32): void {
  let service = Service.at(index);
  endSchedule(index);
  while (service.servers != 0) detach(index, service.servers);
  let at = serviceHead(service.family, service.fwmark, service.protocol, service.address, service.port);
  while (load<u32>(at) != index) at = changetype<usize>(Service.at(load<u32>(at))) + offsetof<Service>("next");
  store<u32>(at, service.next);
  countServing(service.family, -1);
  endTracking(service);
  memory.fill(changetype<usize>(service), 0, SERVICE_BYTES);
}

export function flush(): i32 {
  let used = load<u32>(CONTROL_BASE, CONTROL_SERVICES_USED);
  for (let index: u32 = 1; index < used; index++) if (Service.at(index).family != 0) dropService(index);
  return 0;
}
