// Where a bare IPv4 socket is bound or led to (struct sockaddr_in).

export const AF_INET = 2;
export const ADDRESS_BYTES = 16;

export function socketAddress(host: string, port: number): Buffer {
  const address = Buffer.alloc(ADDRESS_BYTES);
  address.writeUInt16LE(AF_INET, 0);
  address.writeUInt16BE(port, 2);
  address.set(host.split(".").map(Number), 4);
  return address;
}
