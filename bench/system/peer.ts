// Both ends of the traffic that compares drivers: as little work as possible beside the director's.
//
//   node peer.js serve PORT                        64 bytes for every 64 bytes; after a "B" bytes without end
//   node peer.js ask                               one JSON object a line: an Order; answers one a line: an Outcome

import { connect, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { endWithParent } from "../../host/lab/process.js";

/** What to do, for how long. */
export interface Order { kind: "requests" | "connections" | "down" | "up"; host: string; port: number; sockets: number; forMs: number }
/** Round trips or bytes, in the time it really took. */
export interface Outcome { count: number; elapsedMs: number; failures: number }

const MESSAGE_BYTES = 64;
const CHUNK = Buffer.alloc(65536, "B");
const ASK = Buffer.alloc(MESSAGE_BYTES, "a");
const BULK = 0x42;

/** Writes until the socket is gone. */
function pour(socket: Socket): void {
  const more = (): void => {
    for (let chunks = 0; chunks < 16 && !socket.destroyed; chunks++) if (!socket.write(CHUNK)) return;
    if (!socket.destroyed) setImmediate(more);
  };
  socket.on("drain", more);
  more();
}

function serve(port: number): void {
  const server = createServer({ noDelay: true }, (socket) => {
    let kind = 0;
    let waiting = 0;
    socket.on("error", () => socket.destroy());
    socket.on("data", (part) => {
      if (kind === 0) {
        kind = part[0] ?? 0;
        if (kind === BULK && part.length === 1) pour(socket);
      }
      if (kind === BULK) return;
      for (waiting += part.length; waiting >= MESSAGE_BYTES; waiting -= MESSAGE_BYTES) socket.write(ASK);
    });
  });
  server.listen(port, "0.0.0.0", 1024, () => process.stdout.write("serving\n"));
}

function perform(order: Order): Promise<Outcome> {
  const outcome: Outcome = { count: 0, elapsedMs: 0, failures: 0 };
  const startMs = performance.now();
  const sockets = new Set<Socket>();
  let isOver = false;
  const open = (): void => {
    const socket = connect({ host: order.host, port: order.port, noDelay: true });
    sockets.add(socket);
    socket.on("error", () => { if (!isOver) outcome.failures++; });
    socket.on("close", () => {
      sockets.delete(socket);
      if (!isOver && order.kind === "connections") open();
    });
    drive(socket, order, outcome);
  };
  for (let count = 0; count < order.sockets; count++) open();
  return new Promise((resolve) => setTimeout(() => {
    isOver = true;
    outcome.elapsedMs = performance.now() - startMs;
    for (const socket of sockets) socket.destroy();
    resolve(outcome);
  }, order.forMs));
}

function drive(socket: Socket, order: Order, outcome: Outcome): void {
  if (order.kind === "up") {
    let before = 0;
    pour(socket);
    socket.on("drain", () => {
      outcome.count += socket.bytesWritten - before;
      before = socket.bytesWritten;
    });
    return;
  }
  socket.on("data", (part) => {
    if (order.kind === "down") {
      outcome.count += part.length;
      return;
    }
    outcome.count += part.length / MESSAGE_BYTES;
    if (order.kind === "connections") socket.end();
    else socket.write(ASK);
  });
  socket.write(order.kind === "down" ? Buffer.of(BULK) : ASK);
}

endWithParent();
if (process.argv[2] === "serve") {
  serve(Number(process.argv[3]));
} else {
  createInterface({ input: process.stdin }).on("line", (line) => {
    void perform(JSON.parse(line) as Order).then((outcome) => process.stdout.write(`${JSON.stringify(outcome)}\n`));
  });
  process.stdout.write("asking\n");
}
