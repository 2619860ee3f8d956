// The laboratory's client, seen from outside: asks the agent in the client's namespace.

import { createInterface } from "node:readline";
import type { Socket } from "node:net";
import type { AgentAnswer, AgentRequest, Handover } from "./agent.js";
import type { Load, Report } from "./load.js";
import type { Network } from "./network.js";
import type { Program } from "./program.js";

interface Waiting { resolve: (report: Report) => void; reject: (error: Error) => void }

/** A client at 10.0.1.50: requests in any number, and connections on behalf of others. */
export class Client {
  private readonly waiting = new Map<number, Waiting>();
  private lastId = 0;

  private constructor(private readonly program: Program) {
    const { child } = program;
    if (child.stdout) createInterface({ input: child.stdout }).on("line", (line) => this.settle(line));
    child.once("exit", () => this.abandon());
  }

  static async start(network: Network): Promise<Client> {
    return new Client(await network.start(network.client, "client", "agent.js"));
  }

  /** Sends requests from the client's namespace; rejects only when the client itself is broken. */
  request(load: Load): Promise<Report> {
    const request: AgentRequest = { id: ++this.lastId, load };
    return new Promise((resolve, reject) => {
      if (!this.program.child.connected) return reject(new Error("the client has ended"));
      this.waiting.set(request.id, { resolve, reject });
      this.program.child.stdin?.write(`${JSON.stringify(request)}\n`);
    });
  }

  /** Gives a socket away, to be joined to a connection that the client makes. It must be paused. */
  join(socket: Socket, to: Handover): void {
    if (!this.program.child.connected) {
      socket.destroy();
      return;
    }
    this.program.child.send(to, socket, (error) => {
      if (error) socket.destroy();
    });
  }

  private settle(line: string): void {
    const answer = JSON.parse(line) as AgentAnswer;
    const waiting = this.waiting.get(answer.id);
    if (!waiting) return;
    this.waiting.delete(answer.id);
    if ("report" in answer) waiting.resolve(answer.report);
    else waiting.reject(new Error(answer.error));
  }

  private abandon(): void {
    for (const { reject } of this.waiting.values()) reject(new Error("the client has ended"));
    this.waiting.clear();
  }
}
