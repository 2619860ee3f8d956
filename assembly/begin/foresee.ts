// A stage before a group's beginnings: the records they will take are touched, and Maglev's hash of each client that
// nobody knows is taken. One after the other, in the midst of opening, each would be waited for: a hash is one long
// chain, and what lies at its place in the table is not near. Side by side they overlap. The table changes only between
// batches, so the place's server is still right when the connection begins; whether it takes one more is asked then.

import { PACKET_BYTES, STATE_FORESEEN_PACKETS, STATE_FORESEEN_WORDS } from "../abi/layout";
import { Protocol, Scheduler } from "../abi/enums";
import { foreseeRecords, isTableFull } from "../connection/free";
import { sourceAt, TARGET_PORT, targetAt, TCP_FLAGS, transportAt } from "../forward/express/fields";
import { FLAGS, IN4 } from "../forward/express/road";
import { connections, state } from "../memory";
import { Packet } from "../packet/packet";
import { isClosed } from "../schedule/hashing";
import { maglevAt, maglevFour, maglevWord4 } from "../schedule/maglev";
import { Server } from "../service/server";
import { findExact, Service } from "../service/service";
import { mapAddress } from "../wire/field";

const SYN: u32 = 0x02;
/** With fewer there is nothing to overlap. */
const FEW: u32 = 4;

/** The service of which this group's servers were foreseen, 0 none. */
let foreseen: u32 = 0;

/** Of a group's packets, `unknown` are of connections that nobody knows: touches what they will begin with. */
export function foresee(begin: usize, end: usize, unknown: u32): u32 {
  foreseen = 0;
  if (unknown == 0) return 0;
  if (unknown >= FEW && !isTableFull()) foreseeServers(begin, end);
  return foreseeRecords(unknown);
}

/** Finds the servers of clients, where they are of one mh service; four at a time. */
function foreseeServers(begin: usize, end: usize): void {
  let end4 = state + listClients(begin, end);
  for (let at = state; at < end4; at += 16) {
    let hashes = maglevFour(v128.load(at, STATE_FORESEEN_WORDS));
    foreseeServer(at, i32x4.extract_lane(hashes, 0));
    foreseeServer(at + 4, i32x4.extract_lane(hashes, 1));
    foreseeServer(at + 8, i32x4.extract_lane(hashes, 2));
    foreseeServer(at + 12, i32x4.extract_lane(hashes, 3));
  }
}

@inline
function foreseeServer(listed: usize, hash: u32): void {
  changetype<Packet>(<usize>load<u32>(listed, STATE_FORESEEN_PACKETS)).foreseen = maglevAt(Service.at(foreseen), hash);
}

/** Lists the packets of clients that nobody knows, and what Maglev hashes of each; answers how many bytes either list takes. */
function listClients(begin: usize, end: usize): usize {
  let bytes: usize = 0;
  for (let at = begin; at < end; at += PACKET_BYTES) {
    let packet = changetype<Packet>(at);
    packet.foreseen = 0;
    if (<usize>packet.connection != connections || (packet.flags & FLAGS) != IN4) continue;
    let frame = <usize>packet.frame;
    if (packet.protocol == <u8>Protocol.Tcp && (load<u8>(frame + transportAt(4), TCP_FLAGS) & SYN) == 0) continue;
    if (foreseen == 0) {
      foreseen = maglevServiceOf(packet, frame);
      if (foreseen == 0) return 0;
    }
    let word = maglevWord4(Service.at(foreseen), load<u32>(frame + sourceAt(4)), load<u16>(frame + transportAt(4)));
    store<u32>(state + bytes, word, STATE_FORESEEN_WORDS);
    store<u32>(state + bytes, <u32>at, STATE_FORESEEN_PACKETS);
    bytes += 4;
  }
  // The last one again, until there are fours of them.
  for (; bytes % 16 != 0; bytes += 4) {
    store<u32>(state + bytes, load<u32>(state + bytes - 4, STATE_FORESEEN_WORDS), STATE_FORESEEN_WORDS);
    store<u32>(state + bytes, load<u32>(state + bytes - 4, STATE_FORESEEN_PACKETS), STATE_FORESEEN_PACKETS);
  }
  return bytes;
}

/** The service a packet is for, if it chooses by Maglev; 0 else. */
function maglevServiceOf(packet: Packet, frame: usize): u32 {
  mapAddress(packet.target, load<u32>(frame + targetAt(4)));
  let service = findExact(4, 0, packet.protocol, packet.target, load<u16>(frame + transportAt(4) + TARGET_PORT));
  return service != 0 && Service.at(service).scheduler == <u32>Scheduler.Mh ? service : 0;
}

/** The server foreseen for a packet to a service, if it takes one more connection; 0 when the scheduler must be asked. */
@inline
export function serverForeseen(packet: Packet, service: u32): u32 {
  if (service != foreseen) return 0;
  let server = packet.foreseen;
  return server != 0 && !isClosed(Server.at(server)) ? server : 0;
}
