// A server leaves its service. Its record stays while connections name it, and two minutes more.

import { ServerFlag } from "../abi/enums";
import { CONTROL_BASE, CONTROL_SERVERS_USED } from "../abi/layout";
import { abandonConnections } from "../connection/early";
import { now, since } from "../memory";
import { scheduleChanged, scheduleRemoved } from "../schedule/table";
import { unlinkEnd } from "./ends";
import { Server } from "./server";
import { Service } from "./service";

/** A removed server without connections is forgotten after this long, as in the kernel. */
const REMOVED_MS: u32 = 120000;

/** Takes a server from its service. The record stays while connections name it. */
export function detach(index: u32, at: u32): void {
  let service = Service.at(index);
  let server = Server.at(at);
  scheduleRemoved(index, at);
  unlinkEnd(at);
  if (service.servers == at) {
    service.servers = server.next;
  } else {
    let before = service.servers;
    while (Server.at(before).next != at) before = Server.at(before).next;
    Server.at(before).next = server.next;
  }
  service.serversCount--;
  server.next = 0;
  server.service = 0;
  server.flags &= ~<u32>ServerFlag.Available;
  server.loadPlace = 0;
  abandonConnections();
  scheduleChanged(index);
}

/** Each tick: removed servers that nobody names any more are forgotten after two minutes. */
export function releaseServers(): void {
  let used = load<u32>(CONTROL_BASE, CONTROL_SERVERS_USED);
  for (let at: u32 = 1; at < used; at++) {
    let server = Server.at(at);
    if (server.family == 0 || server.service != 0) continue;
    if (server.references != 0) server.idleMs = 0;
    else if (server.idleMs == 0) server.idleMs = now | 1;
    else if (since(server.idleMs) >= REMOVED_MS) {
      // takeServer() clears the rest.
      server.family = 0;
    }
  }
}
