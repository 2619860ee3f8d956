// The client of the laboratory: a program in the client's namespace. It takes one JSON object a line
// (a Load with an `id`) and answers one a line; and sockets that its parent hands over, each to be
// joined to a connection made from here.

import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { perform, type Load } from "./load.js";
import { endWithParent } from "./process.js";

export interface AgentRequest { id: number; load: Load }
export type AgentAnswer = { id: number; report: Awaited<ReturnType<typeof perform>> } | { id: number; error: string };
/** Comes over the channel together with a socket. */
export interface Handover { host: string; port: number }

const say = (answer: AgentAnswer | { ready: true }): boolean => process.stdout.write(`${JSON.stringify(answer)}\n`);

async function serve(line: string): Promise<void> {
  let id = 0;
  try {
    const request = JSON.parse(line) as AgentRequest;
    id = request.id;
    say({ id, report: await perform(request.load) });
  } catch (error) {
    say({ id, error: error instanceof Error ? error.message : String(error) });
  }
}

/** Joins two sockets, each direction until its own end. */
function join(outer: Socket, to: Handover): void {
  const inner = connect({ host: to.host, port: to.port, noDelay: true, allowHalfOpen: true });
  outer.allowHalfOpen = true;
  for (const [from, into] of [[outer, inner], [inner, outer]] as const) {
    from.on("error", () => into.destroy());
    from.on("close", () => into.destroySoon());
  }
  outer.setNoDelay(true);
  outer.pipe(inner);
  inner.pipe(outer);
}

process.on("message", (message, handle) => {
  // The browser may be gone before its socket arrives.
  if (handle) join(handle as Socket, message as Handover);
});
createInterface({ input: process.stdin }).on("line", (line) => void serve(line));
endWithParent();
say({ ready: true });
