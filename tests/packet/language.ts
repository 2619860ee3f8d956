// Cases in Markdown: a heading that says what must happen, a configuration, and what comes in and out.

import { readScript, type Script } from "../../host/replay/shell.js";
import { parsePacket, type PacketText } from "./text.js";

/** A frame at a port; `line` for messages. */
export interface FrameText { line: number; port: string; packet: PacketText }

export type Step =
  | { kind: "command"; line: number; text: string; script: Script; said: string[]; expected: FrameText[] }
  | { kind: "send"; line: number; frame: FrameText; expected: FrameText[] }
  | { kind: "wait"; line: number; seconds: number; expected: FrameText[] }
  /** Clients one after the other, and where each must be sent. */
  | { kind: "connect"; line: number; frames: FrameText[]; choices: string[]; expected: FrameText[] };

export interface Case { title: string; line: number; configuration: Step[]; steps: Step[] }

/** A case that cannot be read, with its place. */
export class CaseError extends Error {
  constructor(file: string, line: number, reason: string) {
    super(`${file}:${line}: ${reason}`);
  }
}

const PORTS = new Set(["out", "in"]);
const SECONDS_MAX = 100_000;

/** Reads all cases of a Markdown text. Throws a CaseError for the first line it does not understand. */
export function readCases(text: string, file: string): Case[] {
  const cases: Case[] = [];
  let fence = "";
  text.split("\n").forEach((content, index) => {
    const line = index + 1;
    const mark = /^```(\w*)\s*$/.exec(content);
    const one = cases.at(-1);
    try {
      if (mark) fence = fence === "" ? fenceName(mark[1] ?? "", one) : "";
      else if (fence === "config" && one) configure(one, content, line);
      else if (fence === "frames" && one) step(one, content, line);
      else if (content.startsWith("## ")) cases.push({ title: content.slice(3).trim(), line, configuration: [], steps: [] });
    } catch (error) {
      throw new CaseError(file, line, (error as Error).message);
    }
  });
  if (fence !== "") throw new CaseError(file, text.split("\n").length, `the block ${fence} is not closed`);
  const empty = cases.find((one) => one.steps.length === 0);
  if (empty) throw new CaseError(file, empty.line, "a case without a block of frames proves nothing");
  return cases;
}

function fenceName(name: string, one: Case | undefined): string {
  if (name !== "config" && name !== "frames") throw new Error(`a block is "config" or "frames", not "${name}"`);
  if (!one) throw new Error("a block belongs below a heading");
  return name;
}

/** `-A -t ...` is ipvsadm, `sysctl NAME=VALUE` one of net.ipv4.vs; the rest is as in a shell. */
function command(text: string, line: number): Step {
  const words = text.startsWith("-") ? `ipvsadm ${text}` : text.replace(/^sysctl (?!-w)(?=\w+=)/, "sysctl -w net.ipv4.vs.");
  return { kind: "command", line, text: words, script: readScript(words), said: [], expected: [] };
}

function configure(one: Case, content: string, line: number): void {
  const text = content.trim();
  if (text === "" || text.startsWith("#")) return;
  one.configuration.push(command(text, line));
}

function step(one: Case, content: string, line: number): void {
  const last = one.steps.at(-1);
  if (/^\s/.test(content) && last?.kind === "command") {
    last.said.push(content.replace(/^ {2}/, "").trimEnd());
    return;
  }
  const text = content.trim();
  const found = /^(>>|>|<|\$|\+)\s*(.*)$/.exec(text);
  const rest = found?.[2] ?? "";
  switch (found?.[1]) {
    case ">": one.steps.push({ kind: "send", line, frame: frame(rest, line), expected: [] }); return;
    case ">>": one.steps.push(connect(rest, line)); return;
    case "$": one.steps.push(command(rest, line)); return;
    case "+": one.steps.push({ kind: "wait", line, seconds: seconds(rest), expected: [] }); return;
    case "<":
      if (!last) throw new Error("nothing has happened yet that a frame could come of");
      last.expected.push(frame(rest, line));
      return;
    default:
      if (text !== "" && !text.startsWith("#")) throw new Error('a step begins with >, >>, <, $, + or #');
  }
}

function frame(text: string, line: number): FrameText {
  const port = text.split(/\s/)[0] ?? "";
  if (!PORTS.has(port)) throw new Error(`"${port}" is no port: ${[...PORTS].join(" or ")}`);
  return { line, port, packet: parsePacket(text.slice(port.length)) };
}

function seconds(text: string): number {
  const value = Number(/^([\d.]+)s$/.exec(text)?.[1]);
  if (!(value > 0 && value <= SECONDS_MAX)) throw new Error(`"${text}" is no time: as 30s or 0.5s, at most ${SECONDS_MAX}s`);
  return value;
}

/** `PORT PACKET => 12 11 -`: numbers of the endpoints followed by "+" count up from client to client, by "+7" in sevens. */
function connect(text: string, line: number): Step {
  const [pattern = "", list = ""] = text.split("=>");
  const choices = list.trim().split(/\s+/).filter(Boolean);
  if (choices.length === 0 || choices.some((one) => !/^(\d+|-|x)$/.test(one))) {
    throw new Error('after "=>" stands for each client the last number of its server, "-" for refused or "x" for silence');
  }
  return { kind: "connect", line, frames: choices.map((_, k) => frame(countUp(pattern, k), line)), choices, expected: [] };
}

function countUp(pattern: string, k: number): string {
  const words = pattern.trim().split(/\s+/);
  return words.map((word, at) => (at > 3 ? word : word
    .replace(/([0-9a-f]+)\+(\d*)(?=\])/, (_all, number: string, by: string) => (parseInt(number, 16) + k * Number(by || 1)).toString(16))
    .replace(/(\d+)\+(\d*)(?=:|$)/g, (_all, number: string, by: string) => String(Number(number) + k * Number(by || 1))))).join(" ");
}
