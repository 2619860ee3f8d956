// What every packet of a client's goes through once its connection is known.

import { DropReason, Sysctl } from "../abi/enums";
import { Connection } from "../connection/connection";
import { endSoon } from "../connection/open";
import { FROM_CLIENT } from "../connection/table";
import { Packet } from "../packet/packet";
import { Server } from "../service/server";
import { advance } from "../state/advance";
import { countIn, drop } from "../stats";
import { isMaster } from "../sync/daemon";
import { tellOthers } from "../sync/export";
import { sysctl } from "../sysctl";
import { forwardToServer } from "./toserver";

/** Counts, advances the state, forwards. */
export function serve(packet: Packet, connection: Connection): void {
  countIn(connection.server, Server.at(connection.server).service, packet.ipBytes);
  advance(packet, connection, FROM_CLIENT);
  connection.packets++;
  forwardToServer(packet, connection);
  if (isMaster()) tellOthers(connection, connection.packets);
}

/** Ends within its transport header: its connection's state stays, and it goes on where nothing is rewritten (recording short_known). */
export function serveShort(packet: Packet, connection: Connection): void {
  let server = Server.at(connection.server);
  if (connection.server != 0 && !server.available) {
    // It begins nothing, but shows that its connection is forsaken (as the kernel: recording short_forsaken).
    if (sysctl(Sysctl.ExpireNodestConn) != 0) endSoon(connection.index);
    return drop(DropReason.ServerGone);
  }
  countIn(connection.server, server.service, packet.ipBytes);
  connection.touch();
  connection.packets++;
  forwardToServer(packet, connection);
}
