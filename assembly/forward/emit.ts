// The last step of every forwarded packet: super-frames whose port cannot cut them are cut here.

import { PortFlag } from "../abi/enums";
import { hopChannel } from "../link/neighbor";
import { Packet, PacketFlag } from "../packet/packet";
import { sendSegments } from "./segment";
import { send } from "./send";

/** Sends a packet to a neighbour, on a way that carries `mtu` bytes. Sizes that may not be cut have been refused before. */
export function emit(packet: Packet, hop: u32, mtu: u32): void {
  if (packet.has(PacketFlag.Segments) && (hopChannel(hop) & <u32>PortFlag.Segments) == 0) return sendSegments(packet, hop, mtu);
  send(packet, hop, mtu);
}
