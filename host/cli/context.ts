// What a command needs from the world around it, so that the daemon, a replay and a terminal can all run it.

import type { ConnectionPage, ConnectionRow, ControlRequest, Director, ReplyOf } from "../protocol.js";

/** Names of hosts and ports, for what was typed by name and for listings without -n. */
export interface Names {
  addressOf(host: string): Promise<string | undefined>;
  portOf(service: string, protocol: string): Promise<number | undefined>;
  hostOf(address: string): Promise<string | undefined>;
  serviceOf(port: number, protocol: string): Promise<string | undefined>;
}

/** Nothing has a name: what a replay uses, so that its output is the same everywhere. */
export const NO_NAMES: Names = {
  addressOf: async () => undefined,
  portOf: async () => undefined,
  hostOf: async () => undefined,
  serviceOf: async () => undefined,
};

export interface CommandContext {
  director: Director;
  names: Names;
  /** The name the command was called by. */
  program: string;
  /** The whole standard input; only -R asks for it. */
  input(): Promise<string>;
}

export interface CommandResult {
  exitCode: number;
  stdout: string;
  stderr: string;
  /** The line itself was wrong; reading more lines of the same input stops. */
  usage?: boolean;
}

export const succeeded = (stdout = ""): CommandResult => ({ exitCode: 0, stdout, stderr: "" });

/** Ends a command with a text on standard error, as a person should read it. */
export class CommandFailure extends Error {
  constructor(readonly exitCode: number, message: string, readonly usage = false) {
    super(message);
  }
}

/** What was typed is wrong in itself: exit code 2, before anything was asked. */
export const misused = (message: string): CommandFailure => new CommandFailure(2, message, true);

export function failed(error: CommandFailure): CommandResult {
  return { exitCode: error.exitCode, stdout: "", stderr: `${error.message}\n`, usage: error.usage };
}

/** All connections, page by page. */
export async function* connectionPages(context: CommandContext): AsyncGenerator<ConnectionRow[]> {
  for (let from: number | undefined = 0; from !== undefined;) {
    const page: ConnectionPage = await asked(context, { do: "connections", from });
    yield page.rows;
    from = page.next;
  }
}

/** What a director answers; its refusal ends a verb of ours. */
export async function asked<R extends ControlRequest>({ director }: CommandContext, request: R): Promise<ReplyOf<R>> {
  const reply = await director.request(request);
  if (!reply.ok) throw new CommandFailure(1, reply.detail ?? reply.error);
  return reply.value;
}
