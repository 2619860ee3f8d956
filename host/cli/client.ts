// A director behind its control socket: one HTTP request over a Unix socket for each question.

import { request as httpRequest } from "node:http";
import type { ControlReply, ControlRequest, Director, ReplyOf } from "../protocol.js";
import { CommandFailure } from "./context.js";

const ANSWER_MS = 30_000;

function explain(code: string, socketPath: string): string {
  switch (code) {
    case "ENOENT": return `no director is running: ${socketPath} does not exist. Start lvsd, or name its socket with --socket PATH`;
    case "ECONNREFUSED": return `no director answers at ${socketPath}: lvsd has ended. Start it again`;
    case "EACCES": case "EPERM": return `Permission denied (you must be root): ${socketPath} belongs to another user`;
    default: return `the director at ${socketPath} does not answer: ${code}`;
  }
}

export class SocketDirector implements Director {
  constructor(private readonly socketPath: string) {}

  request<R extends ControlRequest>(request: R): Promise<ControlReply<ReplyOf<R>>> {
    const body = JSON.stringify(request);
    return new Promise((resolve, reject) => {
      const broken = (code: string): void => reject(new CommandFailure(1, explain(code, this.socketPath)));
      const outgoing = httpRequest({
        socketPath: this.socketPath, path: "/control", method: "POST", timeout: ANSWER_MS,
        headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
      }, (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("error", (error: NodeJS.ErrnoException) => broken(error.code ?? error.message));
        response.on("end", () => {
          try {
            resolve(JSON.parse(Buffer.concat(parts).toString()) as ControlReply<ReplyOf<R>>);
          } catch {
            broken("what it says is not JSON");
          }
        });
      });
      outgoing.on("timeout", () => outgoing.destroy(Object.assign(new Error("silent"), { code: "it was silent for 30 s" })));
      outgoing.on("error", (error: NodeJS.ErrnoException) => broken(error.code ?? error.message));
      outgoing.end(body);
    });
  }
}
