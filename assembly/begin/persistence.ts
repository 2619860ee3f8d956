// Persistence: a template remembers which server a client (or its net) was given, so that its next
// connections go there too.

import { STATE_TEMPLATE } from "../abi/layout";
import { ConnectionFlag, DropReason, Protocol, ServiceFlag, Sysctl } from "../abi/enums";
import { openTo, REFUSED } from "./open";
import { callId, callIdBytes } from "../helper/sip";
import { enterCommons, leaveCommons, lock, state, unlock } from "../memory";
import { Packet, scheduledTarget } from "../packet/packet";
import { schedule } from "../schedule/table";
import { Server } from "../service/server";
import { FTP_CONTROL, Service } from "../service/service";
import { drop } from "../stats";
import { outlive } from "../sync/outlive";
import { sysctl } from "../sysctl";
import { copyAddress, mapAddress } from "../wire/field";
import { Connection } from "../connection/connection";
import { setTimeoutMs } from "../connection/due";
import { keepNote } from "../connection/note";
import { closeConnection, openConnection } from "../connection/open";
import { insert, lookupTemplate, remove } from "../connection/table";

/**
 * Opens a connection of a persistent service: by its template, or with a new one. It leads to the template's
 * server, or, when a server has spoken first, to that `speaker`.
 */
export function openPersistent(packet: Packet, index: u32, speaker: u32): u32 {
  let service = Service.at(index);
  let note: usize = 0;
  if (service.engine != 0) {
    note = callId(packet);
    if (note == 0) {
      // Without what the engine looks for it cannot be told where it belongs: silence, as in the kernel.
      drop(DropReason.HelperBad);
      return REFUSED;
    }
  }
  let noteBytes = note != 0 ? callIdBytes : 0;
  let client = state + STATE_TEMPLATE;
  let virtual = client + 16;
  maskClient(service, packet, client);
  let protocol = <u32>packet.protocol;
  let virtualPort = <u32>packet.targetPort;
  copyAddress(virtual, packet.target);
  if (packet.targetPort == service.port) {
    // FTP's data connections must find the same template: its port is then 0.
    if (service.port == <u16>FTP_CONTROL) virtualPort = 0;
  } else {
    virtualPort = 0;
    if (service.fwmark != 0) {
      protocol = 0;
      markAddress(virtual, packet.family, service.fwmark);
    }
  }

  lock();
  enterCommons();
  let template = lookupTemplate(packet.family, protocol, client, virtual, virtualPort, note, noteBytes);
  if (template != 0 && (!isAlive(template) || !usable(template, speaker))) template = 0;
  if (template == 0) template = openTemplate(packet, index, speaker, protocol, client, virtual, virtualPort, note, noteBytes);
  let record = Connection.at(template);
  let number = record.number;
  leaveCommons();
  let opened = template;
  if (template != 0 && template != REFUSED) opened = openBy(packet, index, speaker, record, number);
  unlock();
  return opened;
}

/** A template for a client that has none: its index, 0 when no server is free, or REFUSED. */
function openTemplate(
  packet: Packet, index: u32, speaker: u32, protocol: u32, client: usize, virtual: usize, virtualPort: u32, note: usize, noteBytes: u32,
): u32 {
  let service = Service.at(index);
  let server = speaker != 0 ? speaker : schedule(index, packet.source, packet.sourcePort, scheduledTarget(packet));
  if (server == 0) return 0;
  let port: u32 = packet.targetPort == service.port && service.port != <u16>FTP_CONTROL ? Server.at(server).port : 0;
  let template = openConnection(packet.family, protocol, client, 0, virtual, virtualPort, server, port,
    <u32>ConnectionFlag.Template, packet.mark);
  if (template == 0 || (note != 0 && !label(template, note, noteBytes))) return REFUSED;
  // Later connections only start the timer anew: a template that has outlived it keeps its minute.
  setTimeoutMs(Connection.at(template), service.timeoutS * 1000);
  return template;
}

/** A connection by its template; its index, or REFUSED. */
function openBy(packet: Packet, index: u32, speaker: u32, template: Connection, number: u32): u32 {
  template.touch();
  let service = Service.at(index);
  let flags: u32 = service.has(ServiceFlag.OnePacket) && packet.protocol == <u8>Protocol.Udp
    ? <u32>ConnectionFlag.OnePacket : 0;
  let server = speaker != 0 ? speaker : <u32>template.server;
  // Another port than the service's, of a mark or beside FTP's, is the server's too (as the kernel: recording other_ports).
  let port: u32 = packet.targetPort == service.port ? Server.at(server).port : 0;
  let opened = openTo(packet, index, server, port, flags);
  if (opened == REFUSED) return REFUSED;
  Connection.at(opened).control = number;
  template.children++;
  return opened;
}

/** A mark's templates have the mark where others have the virtual address: its first word, as the kernel lists it. */
function markAddress(to: usize, family: u32, mark: u32): void {
  if (family == 4) return mapAddress(to, bswap<u32>(mark));
  store<u64>(to, bswap<u32>(mark));
  store<u64>(to, 0, 8);
}

/** Gives a new template the text it shall be found by. False, and the template is gone, when there is no room. */
function label(index: u32, note: usize, bytes: u32): bool {
  remove(index);
  if (!keepNote(Connection.at(index), note, bytes)) {
    closeConnection(index);
    return false;
  }
  insert(index);
  return true;
}

/** The client's net, by the service's granularity. */
function maskClient(service: Service, packet: Packet, to: usize): void {
  copyAddress(to, packet.source);
  if (service.family == 4) {
    store<u32>(to, load<u32>(to, 12) & service.prefix, 12);
    return;
  }
  let bits = min<u32>(service.prefix, 128);
  for (let byte: u32 = 0; byte < 16; byte++) {
    let kept = bits >= 8 * byte + 8 ? 8 : bits > 8 * byte ? bits - 8 * byte : 0;
    store<u8>(to + byte, load<u8>(to + byte) & <u8>(0xff00 >> kept));
  }
}

/** False when a template's time is over and no connection needs it; the sweep has not come by yet. */
function isAlive(index: u32): bool {
  let template = Connection.at(index);
  if (!template.expired) return true;
  if (template.children == 0) {
    closeConnection(index);
    return false;
  }
  outlive(template);
  return true;
}

/**
 * True while the template's server may take more. Of a server that was removed, or drained while
 * expire_quiescent_template is set, or when another server is the `speaker`, the template is put aside: it stays
 * until its connections end, but under port 65535 nobody finds it (as the kernel: recordings persistence, sip_listing).
 */
function usable(index: u32, speaker: u32): bool {
  let template = Connection.at(index);
  let server = Server.at(template.server);
  if (template.server != 0 && server.available && (speaker == 0 || speaker == <u32>template.server) &&
    (server.weight != 0 || sysctl(Sysctl.ExpireQuiescentTemplate) == 0)) return true;
  if (<u32>template.virtualPort != 0xffff) {
    remove(index);
    template.virtualPort = 0xffff;
    template.serverPort = 0xffff;
    template.clientPort = template.clientPortAgain = 0;
    insert(index);
  }
  return false;
}
