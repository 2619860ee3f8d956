// Where a bare IPv4 socket is bound or led to (struct sockaddr_in), and the call that leads it there.

import koffi from "koffi";

export const AF_INET = 2;
export const ADDRESS_BYTES = 16;

export function socketAddress(host: string, port: number): Buffer {
  const address = Buffer.alloc(ADDRESS_BYTES);
  address.writeUInt16LE(AF_INET, 0);
  address.writeUInt16BE(port, 2);
  address.set(host.split(".").map(Number), 4);
  return address;
}

/** connect(2), of which only tests have need: 0, or -1. */
export const connect: (fd: number, address: number, bytes: number) => number = koffi.load(null).func("connect", "int", ["int", "uintptr_t", "unsigned int"]);
