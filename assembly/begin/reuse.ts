// A client that opens a connection with the ports of an old one: may it be given a server anew?

import { ConnectionFlag, Protocol, SctpState, Sysctl, TcpState } from "../abi/enums";
import { Server } from "../service/server";
import { sysctl } from "../sysctl";
import { Connection } from "../connection/connection";
import { endRetired } from "../connection/open";
import { Packet } from "../packet/packet";

/** As the kernel: conn_reuse_mode bit 1 for closed states, bit 2 also for FIN_WAIT without output. */
export function mayReuse(connection: Connection): bool {
  if (sysctl(Sysctl.ExpireNodestConn) != 0 && connection.server != 0 && Server.at(connection.server).weight == 0) {
    return true;
  }
  let mode = sysctl(Sysctl.ConnReuseMode);
  if (mode == 0 || connection.control != 0) return false;
  let state = <u32>connection.state;
  if (connection.protocol == <u8>Protocol.Tcp) {
    return state == <u32>TcpState.TimeWait || state == <u32>TcpState.Close ||
      ((mode & 2) != 0 && state == <u32>TcpState.FinWait && connection.has(ConnectionFlag.NoOutput));
  }
  return connection.protocol == <u8>Protocol.Sctp && state == <u32>SctpState.Closed;
}

/** What a packet has begun anew, or could not, is over; behind the new connection the old one is still found by its server's end. */
export function giveUpReplaced(packet: Packet): void {
  if (packet.replaced != 0) endRetired(packet.replaced);
  packet.replaced = 0;
}
