// A front door for a browser: a port of the machine's loopback behind which the laboratory's client
// makes the connections. No interface or route of the machine is touched: the sockets are handed over.

import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { VIRTUAL_ADDRESS, VIRTUAL_PORT } from "./addresses.js";
import type { Client } from "./client.js";

const LOOPBACK = "127.0.0.1";
const PORT = 8080;

export interface DoorOptions {
  /** 0 lets the kernel choose. */
  port?: number;
  to?: { host: string; port: number };
}

/** Every connection to it becomes one from the client to the service. */
export class Door {
  private constructor(private readonly server: Server) {}

  static open(client: Client, options: DoorOptions = {}): Promise<Door> {
    const to = options.to ?? { host: VIRTUAL_ADDRESS, port: VIRTUAL_PORT };
    // Paused: not a byte may be read here, the socket is another process's.
    const server = createServer({ pauseOnConnect: true }, (socket: Socket) => {
      socket.on("error", () => socket.destroy());
      client.join(socket, to);
    });
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(options.port ?? PORT, LOOPBACK, () => resolve(new Door(server)));
    });
  }

  get url(): string {
    return `http://${LOOPBACK}:${(this.server.address() as AddressInfo).port}`;
  }

  /** No more connections; those that were handed over are the client's. */
  close(): void {
    this.server.close();
  }
}
