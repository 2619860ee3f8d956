// The laboratory's addresses, the same in every run: nothing outside its own namespaces sees them.

/** How the director forwards: what a laboratory is built for. */
export type Method = "nat" | "dr" | "tun" | "local";

export const CLIENT_ADDRESS = "10.0.1.50";
export const VIRTUAL_ADDRESS = "10.0.1.100";
export const VIRTUAL_PORT = 80;
/** The director on the clients' segment. */
export const DIRECTOR_ADDRESS = "10.0.1.1";
/** The director on the servers' segment: their default gateway under NAT. */
export const DIRECTOR_INNER_ADDRESS = "10.0.2.1";

// The wire between the director and its own kernel, for the local node.
export const HOST_PORT_ADDRESS = "10.0.3.1";
export const HOST_KERNEL_ADDRESS = "10.0.3.2";
export const HOST_PREFIX_BITS = 30;
/** The kernel's side of that wire: known beforehand, so that a configuration can name it. */
export const HOST_KERNEL_MAC = "02:00:00:00:03:02";

/** The director's interfaces. */
export const TAP_OUT = "lvs-out";
export const TAP_IN = "lvs-in";
export const TAP_HOST = "lvs-host";

/** A server's address, counted from 1: on the clients' segment except under NAT. */
export function serverAddress(method: Method, number: number): string {
  return `10.0.${method === "nat" ? 2 : 1}.${10 + number}`;
}

/** NAT may change the port, and here does; the other methods cannot. */
export function serverPort(method: Method): number {
  return method === "nat" ? 8080 : VIRTUAL_PORT;
}
