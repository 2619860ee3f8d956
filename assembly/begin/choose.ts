// A service decides: which server a new connection gets, and what to do when none is free.

import { ConnectionFlag, DropReason, Protocol, ServiceFlag } from "../abi/enums";
import { sendIcmpError } from "../answer/icmp";
import { sendIcmpv6Error } from "../answer/icmpv6";
import { isShed } from "../defence/level";
import { isTableFull } from "../connection/free";
import { deliver } from "../forward/toserver";
import { Packet, scheduledTarget } from "../packet/packet";
import { schedule } from "../schedule/table";
import { drop } from "../stats";
import { Server } from "../service/server";
import { FTP_CONTROL, Service } from "../service/service";
import { openTo, REFUSED } from "./open";
import { openPersistent } from "./persistence";

export const FTP_DATA: u32 = 20 << 8; // network order

/** Opens a connection for a packet. Answers its index, 0 when no server is free, or REFUSED. */
export function open(packet: Packet, index: u32): u32 {
  if (isShed()) {
    drop(DropReason.DropPacket);
    return REFUSED;
  }
  let service = Service.at(index);
  if (isFtpData(packet)) {
    deliver(packet);
    return REFUSED;
  }
  if (isTableFull()) {
    // Nobody is asked whom to take for what cannot be taken: a flood must be cheap.
    drop(DropReason.ConnectionTableFull);
    return REFUSED;
  }
  if (service.has(ServiceFlag.Persistent)) return openPersistent(packet, index, 0);
  if (service.fwmark == 0 && packet.targetPort != service.port) return 0;
  let server = schedule(index, packet.source, packet.sourcePort, scheduledTarget(packet));
  if (server == 0) return 0;
  let flags: u32 = service.has(ServiceFlag.OnePacket) && packet.protocol == <u8>Protocol.Udp
    ? <u32>ConnectionFlag.OnePacket : 0;
  return openTo(packet, index, server, Server.at(server).port, flags);
}

/** Data connections of active FTP are opened by the server: one from port 20 is never scheduled. */
export function isFtpData(packet: Packet): bool {
  return packet.sourcePort == <u16>FTP_DATA;
}

/** True for the FTP service that a packet to another port found: it also finds its data connections, and other ports of the VIP are not its business. */
function isBesideFtp(service: Service, packet: Packet): bool {
  return service.port == <u16>FTP_CONTROL && packet.targetPort != <u16>FTP_CONTROL && service.fwmark == 0;
}

/**
 * The service that a packet found; not the FTP service beside its port, unless clients stay with their servers there (as the kernel:
 * recording forsaken_beside_ftp).
 */
export function unlessBesideFtp(index: u32, packet: Packet): u32 {
  if (index == 0) return 0;
  let service = Service.at(index);
  return isBesideFtp(service, packet) && !service.has(ServiceFlag.Persistent) ? 0 : index;
}

/** Nobody can serve this packet: the client is told port unreachable, for TCP too (as the kernel). */
export function refuse(packet: Packet, index: u32): void {
  let service = Service.at(index);
  if (isBesideFtp(service, packet)) return deliver(packet);
  if (packet.family == 4) sendIcmpError(packet, 3, 3, 0);
  else sendIcmpv6Error(packet, 1, 4, 0);
  drop(DropReason.NoServer);
}
