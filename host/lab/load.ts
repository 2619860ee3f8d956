// HTTP requests in numbers, and what came of them. Runs in the client's namespace.

import { createHash } from "node:crypto";
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { patternBytes } from "./pattern.js";

const COUNT_MAX = 1_000_000;
const CONCURRENCY_MAX = 1024;
const BODY_BYTES_MAX = 64 << 20;
const SAMPLE_CHARACTERS = 1000;
/** Several lost beginnings of a connection, each waited for twice as long as the one before. */
const TIMEOUT_MS = 30_000;

/** What to request. One GET on a connection of its own when nothing else is said. */
export interface Load {
  url: string;
  count?: number;
  concurrency?: number;
  /** POST so many bytes of the pattern instead of a GET. */
  bodyBytes?: number;
  /** Use a connection for many requests. */
  keepAlive?: boolean;
  /** The whole of one request may take so long. */
  timeoutMs?: number;
}

/** What came of it. */
export interface Report {
  requests: number;
  /** TCP connections on which answers came. */
  connections: number;
  /** Answered with status 200 and a whole body. */
  succeeded: number;
  /** The others, counted by reason. */
  failures: Record<string, number>;
  /** Successes by the server that answered. */
  servers: Record<string, number>;
  bytes: number;
  elapsedMs: number;
  medianMs: number;
  slowestMs: number;
  /** The beginning and the SHA-256 of the last whole answer. */
  sample: string;
  sha256: string;
}

interface Answer { reused: boolean; server: string; bytes: number; body: string; sha256: string }

/** Sends the requests, so many at a time, and counts. */
export async function perform(load: Load): Promise<Report> {
  const count = bounded(load.count ?? 1, COUNT_MAX, "count");
  const concurrency = bounded(load.concurrency ?? 1, CONCURRENCY_MAX, "concurrency");
  const body = load.bodyBytes === undefined ? undefined : patternBytes(0, bounded(load.bodyBytes, BODY_BYTES_MAX, "bodyBytes"));
  // An Agent would keep connections even with keepAlive false, as soon as its sockets are limited.
  const agent = load.keepAlive === true && new Agent({ keepAlive: true, maxSockets: concurrency });
  const report: Report = { requests: count, connections: 0, succeeded: 0, failures: {}, servers: {}, bytes: 0, elapsedMs: 0,
    medianMs: 0, slowestMs: 0, sample: "", sha256: "" };
  const times: number[] = [];
  const startMs = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next++ < count) {
      const beginMs = performance.now();
      try {
        note(report, await once(load, agent, body));
        times.push(performance.now() - beginMs);
      } catch (error) {
        add(report.failures, reason(error));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, worker));
  if (agent) agent.destroy();
  times.sort((a, b) => a - b);
  report.elapsedMs = performance.now() - startMs;
  report.medianMs = times[times.length >> 1] ?? 0;
  report.slowestMs = times.at(-1) ?? 0;
  return report;
}

function once(load: Load, agent: Agent | false, body: Buffer | undefined): Promise<Answer> {
  const signal = AbortSignal.timeout(load.timeoutMs ?? TIMEOUT_MS);
  return new Promise((resolve, reject) => {
    const request = httpRequest(load.url, { agent, signal, method: body ? "POST" : "GET" }, (response) => {
      read(response, request.reusedSocket).then(resolve, reject);
    });
    request.once("error", reject);
    request.end(body);
  });
}

async function read(response: IncomingMessage, reused: boolean): Promise<Answer> {
  const hash = createHash("sha256");
  let bytes = 0;
  let body = "";
  for await (const chunk of response as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
    if (body.length < SAMPLE_CHARACTERS) body += chunk.toString("latin1", 0, SAMPLE_CHARACTERS - body.length);
  }
  if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`);
  return { reused, server: String(response.headers["x-server"] ?? "unnamed"), bytes, body, sha256: hash.digest("hex") };
}

function note(report: Report, answer: Answer): void {
  report.succeeded++;
  if (!answer.reused) report.connections++;
  report.bytes += answer.bytes;
  report.sample = answer.body;
  report.sha256 = answer.sha256;
  add(report.servers, answer.server);
}

function add(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

function reason(error: unknown): string {
  const { name, code, message } = error as NodeJS.ErrnoException;
  return name === "AbortError" || name === "TimeoutError" ? "timeout" : String(code ?? message);
}

function bounded(value: number, max: number, what: string): number {
  if (!Number.isInteger(value) || value < 0 || value > max) throw new RangeError(`${what}: 0 to ${max}, not ${value}`);
  return value;
}
