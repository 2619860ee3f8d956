// A real server of a service with a persistence engine speaks first: it calls a client, or answers where the
// service keeps no connections (-o). It leaves with the virtual address, and the client's part of the call
// will find the server (as the kernel: UDP and NAT only).

import { Protocol, ServiceFlag, ConnectionFlag } from "../abi/enums";
import { callId } from "../helper/sip";
import { Packet, standIn } from "../packet/packet";
import { natServerAt } from "../service/ends";
import { Server } from "../service/server";
import { Service } from "../service/service";
import { copyAddress } from "../wire/field";
import { openTo } from "./open";
import { openPersistent } from "./persistence";
import { lock, unlock } from "../memory";

/** Opens a connection for a server's packet. Answers its index, 0 when it is not such a packet, or REFUSED. */
export function openOutward(packet: Packet): u32 {
  if (packet.protocol != <u8>Protocol.Udp) return 0;
  let speaker = natServerAt(packet.family, packet.protocol, packet.source, packet.sourcePort);
  if (speaker == 0) return 0;
  let server = Server.at(speaker);
  let service = Service.at(server.service);
  // A mark names no address to leave with, and neither does the service of all ports name a port.
  if (service.engine == 0 || service.fwmark != 0 || service.port == 0) return 0;
  let asked = standIn(packet);
  copyAddress(asked.source, packet.target);
  copyAddress(asked.target, service.address);
  asked.sourcePort = packet.targetPort;
  asked.targetPort = service.port;
  asked.mark = 0;
  if (service.has(ServiceFlag.Persistent)) return callId(packet) == 0 ? 0 : openPersistent(asked, server.service, speaker);
  lock();
  let opened = openTo(asked, server.service, speaker, server.port, service.has(ServiceFlag.OnePacket) ? <u32>ConnectionFlag.OnePacket : 0);
  unlock();
  return opened;
}
