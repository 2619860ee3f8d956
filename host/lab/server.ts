// A real server of the laboratory, run in a namespace of its own: a small HTTP server.
//
//   GET  /          its name
//   GET  /bytes/N   N bytes of the pattern
//   GET  /tunnels   tunnels' packets that were taken apart, by kind
//   POST /          the SHA-256 of what was sent

import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import meow from "meow";
import { decapsulate, decapsulateAll } from "./decapsulate.js";
import { patternChunks } from "./pattern.js";
import { endWithParent } from "./process.js";

const BYTES_MAX = 2 ** 30;

const cli = meow(`
  Usage
    $ node server.js --name NAME --port PORT [--address ADDRESS] [--decapsulate INTERFACE | --tunnels INTERFACE]

  --decapsulate takes IPIP apart as it comes in, where the kernel has no device for it.
  --tunnels takes IPIP, GRE and GUE apart, over both families, and counts them.
`, {
  importMeta: import.meta,
  flags: {
    name: { type: "string", isRequired: true },
    port: { type: "number", isRequired: true },
    address: { type: "string", default: "0.0.0.0" },
    decapsulate: { type: "string" },
    tunnels: { type: "string" },
  },
});
const { name, port, address } = cli.flags;

async function digest(request: IncomingMessage): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of request as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest("hex");
}

function text(response: ServerResponse, status: number, line: string): void {
  response.writeHead(status, { "content-type": "text/plain" }).end(`${line}\n`);
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader("x-server", name);
  if (request.method === "POST") return text(response, 200, await digest(request));
  if (request.method !== "GET") return text(response, 405, "GET or POST");
  if (request.url === "/") return text(response, 200, name);
  if (request.url === "/tunnels") return text(response, 200, JSON.stringify(counts?.read() ?? {}));
  const count = Number(/^\/bytes\/(\d{1,10})$/.exec(request.url ?? "")?.[1] ?? NaN);
  if (!(count <= BYTES_MAX)) return text(response, 404, `/, or /bytes/N with N up to ${BYTES_MAX}`);
  response.writeHead(200, { "content-type": "application/octet-stream", "content-length": count });
  await pipeline(Readable.from(patternChunks(count), { objectMode: false }), response);
}

endWithParent();
const decapsulator = cli.flags.decapsulate === undefined ? "none" : await decapsulate(cli.flags.decapsulate);
const counts = cli.flags.tunnels === undefined ? undefined : await decapsulateAll(cli.flags.tunnels);
const server = createServer((request, response) => {
  // A client that goes away in the middle is its own business.
  answer(request, response).catch(() => response.destroy());
});
server.listen(port, address, 1024, () => process.stdout.write(`${JSON.stringify({ name, port, decapsulator })}\n`));
