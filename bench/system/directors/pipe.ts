// A proxy as one writes it in an afternoon: sockets piped into each other, servers by turns.
//
//   node pipe.js LISTEN,SERVER,SERVER ...          each ADDRESS:PORT

import { connect, createServer } from "node:net";

function endpoint(text: string): { host: string; port: number } {
  const [host = "", port = ""] = text.split(":");
  return { host, port: Number(port) };
}

function serve(words: string): Promise<void> {
  const [own = "", ...servers] = words.split(",");
  let turn = 0;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (outer) => {
    const inner = connect({ ...endpoint(servers[turn++ % servers.length] ?? ""), allowHalfOpen: true, noDelay: true });
    for (const [from, into] of [[outer, inner], [inner, outer]] as const) {
      from.on("error", () => into.destroy());
      from.pipe(into);
    }
  });
  return new Promise((resolve) => server.listen({ ...endpoint(own), backlog: 4096 }, resolve));
}

await Promise.all(process.argv.slice(2).map(serve));
process.stdout.write("serving\n");
