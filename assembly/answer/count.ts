// The director's own errors about packets of connections: where nothing is rewritten, each counts as an answer of
// the connection's server, as in the kernel (recording own_errors).

import { Forward } from "../abi/enums";
import { Connection } from "../connection/connection";
import { ownerByClient } from "../connection/owner";
import { FROM_CLIENT, FROM_SERVER, lookup } from "../connection/table";
import { isOwn } from "../link/local";
import { lookAt, since } from "../memory";
import { isLaterPiece, Packet } from "../packet/packet";
import { isBalanced } from "../packet/parse";
import { Server } from "../service/server";
import { countOut } from "../stats";

/** True where what the director says is its server's answer: not behind NAT, unless the director is that server itself. */
function isServersAnswer(connection: Connection): bool {
  return connection.forward != <u32>Forward.Nat || isOwn(connection.server16);
}

/**
 * Counts an error of so many bytes about a packet whose addresses are filled. One `asSent` quotes it as the client sent it, and is no
 * answer of a server behind NAT, who has not been asked (as the kernel: recording refused_nat). It may be about another worker's
 * connection: pieces of datagrams wait where all workers bring them, and the first gives them up. One whose time is over
 * has no answers any more, whether the sweep has come by or not; in its last millisecond it still has, as a piece that
 * came with its first packet has waited just as long (as the kernel: recording overdue_piece6).
 */
export function countError(packet: Packet, bytes: u32, asSent: bool): void {
  if (!isBalanced(packet.protocol) || isLaterPiece(packet) || packet.l4 + 4 > packet.end) return;
  let clientPort = <u32>load<u16>(packet.l4);
  let before = lookAt(ownerByClient(packet.source, clientPort, packet.protocol));
  // A refusal to begin it anew is still the old one's answer (as the kernel: recordings refused_anew, refused_again), and
  // quotes what the client sent (refused_own).
  let index = packet.replaced;
  if (index != 0) {
    asSent = true;
  } else {
    // As sent it names no NAT connection's server; one that it replaced a moment ago may be meant (recording spent_hops_replaced).
    index = lookup(asSent ? FROM_SERVER : FROM_CLIENT, packet.family, packet.protocol, packet.source, clientPort, packet.target,
      load<u16>(packet.l4, 2));
  }
  let connection = Connection.at(index);
  lookAt(before);
  if (index == 0) return;
  if (asSent && connection.forward == <u32>Forward.Nat) return;
  if (!isServersAnswer(connection) || connection.server == 0 || since(connection.lastMs) > connection.timeoutMs) return;
  countOut(connection.server, Server.at(connection.server).service, bytes);
}
