// The second family of a laboratory: IPv6 addresses beside the IPv4 ones, on the same wires.

import type { LabExtra } from "../../host/lab/director.js";
import type { Namespace } from "../../host/lab/namespace.js";
import type { Network } from "../../host/lab/network.js";

const CLIENT_ADDRESS6 = "fd00:1::50";
export const VIRTUAL_ADDRESS6 = "fd00:1::100";
const DIRECTOR_ADDRESS6 = "fd00:1::1";
const DIRECTOR_INNER_ADDRESS6 = "fd00:2::1";

/** A server's IPv6 address, counted from 1: on the clients' segment except under NAT. */
export function serverAddress6(method: Network["method"], number: number): string {
  return `fd00:${method === "nat" ? 2 : 1}::1${number}`;
}

/** What the director's configuration needs for it. */
export const EXTRA6: LabExtra = {
  out: [`${DIRECTOR_ADDRESS6}/64`, `${VIRTUAL_ADDRESS6}/128`],
  in: [`${DIRECTOR_INNER_ADDRESS6}/64`],
};

/** Switches IPv6 on in a namespace; answers false when its kernel has none. */
function enable(namespace: Namespace): boolean {
  namespace.set({
    "net.ipv6.conf.all.accept_ra": 0, "net.ipv6.conf.default.accept_ra": 0,
    // Nobody else is on these wires: no reason to wait a second for who might be.
    "net.ipv6.conf.all.accept_dad": 0, "net.ipv6.conf.default.accept_dad": 0, "net.ipv6.conf.eth0.accept_dad": 0,
    "net.ipv6.conf.all.disable_ipv6": 0, "net.ipv6.conf.default.disable_ipv6": 0,
  });
  return namespace.show(["-6", "addr", "show", "dev", "lo"]).includes("inet6");
}

/** Gives the client and the servers their IPv6 addresses and routes. False when the kernel has no IPv6. */
export function addIpv6(network: Network): boolean {
  if (!enable(network.client)) return false;
  network.client.ip([`addr replace ${CLIENT_ADDRESS6}/64 dev eth0 nodad`]);
  network.servers.forEach((server, index) => {
    enable(server);
    const address = serverAddress6(network.method, index + 1);
    const nat = network.method === "nat";
    server.ip([
      `addr replace ${address}/64 dev eth0 nodad`,
      `route replace default via ${nat ? DIRECTOR_INNER_ADDRESS6 : DIRECTOR_ADDRESS6} dev eth0 src ${address}`,
      // An address of the loopback is not told to a segment: neighbour discovery asks the interface's own.
      ...nat ? [] : [`addr replace ${VIRTUAL_ADDRESS6}/128 dev lo nodad`],
    ]);
  });
  return true;
}
