// The control socket: HTTP with JSON on a Unix socket that only its owner may open.

import { existsSync, lstatSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import fastify, { type FastifyInstance } from "fastify";
import type { Director } from "../protocol.js";
import { readRequest } from "./request.js";

const BODY_BYTES_MAX = 65536;

/** The socket cannot be used, in words for an operator. */
export class SocketError extends Error {}

/** True when somebody answers at a socket, false when who made it has ended. Throws a SocketError when that cannot be told. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", ({ code = "" }: NodeJS.ErrnoException) => {
      if (code === "ECONNREFUSED" || code === "ENOENT") resolve(false);
      else reject(new SocketError(`${path} is there, and whether a director answers cannot be told (${code}): choose another control-socket`));
    });
  });
}

/** Node says EACCES of a folder that is not there, too. */
function reasonOf(error: NodeJS.ErrnoException, path: string): string {
  if (!existsSync(dirname(path))) return `there is no folder ${dirname(path)}`;
  return error.code === "EACCES" ? "you may not write there" : error.message;
}

/** Makes room for a socket at a path. Throws a SocketError when another director is there, or what is no socket. */
export async function claimSocket(path: string): Promise<void> {
  const before = lstatSync(path, { throwIfNoEntry: false });
  if (!before) return;
  if (!before.isSocket()) throw new SocketError(`${path} is there and is not a socket: choose another control-socket`);
  if (await isAlive(path)) throw new SocketError(`another director answers at ${path}: stop it first, or choose another control-socket`);
  rmSync(path, { force: true }); // left behind by a director that was killed
}

/** Serves a director at a path that was claimed. */
export async function serveControl(path: string, director: Director): Promise<FastifyInstance> {
  // An administrator's idle connection must not keep a director from stopping.
  const server = fastify({ logger: false, bodyLimit: BODY_BYTES_MAX, forceCloseConnections: true });
  server.post("/control", async (incoming, outgoing) => {
    const read = readRequest(incoming.body);
    if ("problem" in read) return outgoing.code(400).send({ ok: false, error: "invalid", detail: read.problem });
    return director.request(read.request);
  });
  server.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) =>
    reply.code(error.statusCode ?? 500).send({ ok: false, error: "invalid", detail: error.message }));
  // The socket must never be open to others, not even between bind and chmod.
  const mask = process.umask(0o177);
  try {
    await server.listen({ path });
  } catch (error) {
    throw new SocketError(`cannot listen at ${path}: ${reasonOf(error as NodeJS.ErrnoException, path)}`);
  } finally {
    process.umask(mask);
  }
  return server;
}
