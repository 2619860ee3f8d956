// The section "with traffic" of recording cli: every listing after forty connections of NAT, one of IPv6 and a datagram.
// Its guest's time was real: what ended when, and how many of the estimator's periods went by, is told by its figures.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Replay } from "../../host/replay/replay.js";
import { ACK, advance, asks, build, Conversation, farm, FIN, PSH, type Play } from "../fuzz/plays/talk.js";
import { byService } from "./mask.js";
import { perform, playOn } from "./perform.js";
import { createRecordedDirector } from "./recording.js";
import { readTexts, type RecordedText } from "./texts.js";

const CLIENT = "10.0.1.50";
const CONNECTIONS = 40;
const EXCHANGES = 10;
/** One of the estimator's. Two had passed since the last traffic when services were listed, three when /proc was read. */
const PERIOD_S = 2;
/** Traffic that lay on both sides of a period's end there, and at one moment here. */
const RATES_APART = 0.03;
/** How long the traffic took there. */
const SECONDS_APART = 4;

function* traffic(): Play {
  const [web, web6, names] = [farm(4, "tcp", 80, 8080), farm(6, "tcp", 80), farm(4, "udp", 53)];
  yield* build(web, { servers: [1, 2] });
  yield* build(web6, { words: "-s rr -p 60", servers: [1] });
  yield* build(names, { words: "-s rr -p 300", servers: [3], method: "-g" });
  for (let k = 0; k < CONNECTIONS; k++) {
    const talk = new Conversation(web, CLIENT, 40000 + k);
    yield* talk.open();
    for (let exchange = 0; exchange < EXCHANGES; exchange++) {
      yield* talk.says(PSH | ACK, "q".repeat(400));
      yield* talk.answers(PSH | ACK, "r".repeat(1400));
    }
    if (k % 2 === 0) continue;
    yield* talk.says(FIN | ACK);
    yield* talk.answers(FIN | ACK);
    yield* talk.says(ACK);
  }
  yield* advance(PERIOD_S);
  yield* new Conversation(web6, "fd00:1::50", 40000).open();
  yield* asks(names, CLIENT, 5000);
}

/** A line's words and its numbers; a time as minutes and seconds is one number. */
function parts(line: string): { words: string; numbers: number[] } {
  const numbers: number[] = [];
  const base = /^ *[0-9A-F]+ +[0-9A-F]+ +[0-9A-F]+ +[0-9A-F]+ +[0-9A-F]+$/.test(line) ? 16 : 10;
  const words = line.replace(base === 16 ? /[0-9A-F]+/g : /(?<= )(\d+)(?= |$)/g, (digits: string) => {
    numbers.push(parseInt(digits, base));
    return "#";
  }).replace(/ +/g, " ");
  return { words, numbers };
}

/** The same words, and numbers as near as rates of the same traffic are. */
function nearly(theirs: string, ours: string): boolean {
  const [left, right] = [parts(theirs), parts(ours)];
  return left.words === right.words && left.numbers.length === right.numbers.length &&
    left.numbers.every((number, at) => Math.abs(number - (right.numbers[at] ?? NaN)) <= Math.max(1, number * RATES_APART));
}

/** A connection without its timer, and its seconds. */
function connection(line: string): { rest: string; seconds: number } {
  const clock = /^(\S+ +)(\d+):(\d+)(.*)$/.exec(line);
  if (clock) return { rest: `${clock[1]}${clock[4]}`, seconds: Number(clock[2]) * 60 + Number(clock[3]) };
  const last = /^(.*?) +(\d+)$/.exec(line);
  return last ? { rest: last[1] ?? "", seconds: Number(last[2]) } : { rest: line, seconds: 0 };
}

const lines = (text: string): string[] => text.split("\n").slice(0, -1);

/** Which of a hash's connections come first or last there is the hash's affair: each has to be listed here. */
function hasConnections(theirs: string, ours: string): boolean {
  const listed = lines(ours).map(connection);
  return lines(theirs).map(connection).every((one) =>
    listed.some((other) => other.rest === one.rest && Math.abs(other.seconds - one.seconds) <= SECONDS_APART));
}

/** Whether a command was answered as there; undefined for what is no listing of ours. */
async function isSame(replay: Replay, { command, exitCode, stdout, stderr }: RecordedText): Promise<boolean | undefined> {
  if (command.startsWith("for ")) return undefined;
  const ofHash = /-Lnc|ip_vs_conn/.test(command);
  const cmd = ofHash ? command.replace(/ \| tail.*/, "").replace(/^head -6/, "cat") : command;
  const { echo } = await perform(replay, { ev: "cmd", cmd });
  if (echo.rc !== exitCode || echo.stderr !== stderr) return false;
  const ours = echo.stdout ?? "";
  if (ofHash) return hasConnections(stdout, ours);
  if (/--rate|ip_vs_stats/.test(command)) {
    return lines(stdout).length === lines(ours).length && lines(stdout).every((line, at) => nearly(line, lines(ours)[at] ?? ""));
  }
  return command.includes("/proc/net/ip_vs") ? byService(stdout) === byService(ours) : stdout === ours;
}

test("ipvsadm's texts, \"with traffic\" of cli.txt: every listing of what passed", async () => {
  const replay = await createRecordedDirector();
  await playOn(replay, traffic());
  await perform(replay, { ev: "advance", s: 2 * PERIOD_S });
  let compared = 0;
  let isProc = false;
  const differing: string[] = [];
  for (const text of readTexts("with traffic")) {
    if (!isProc && text.command.includes("ip_vs_stats")) await perform(replay, { ev: "advance", s: PERIOD_S });
    isProc ||= text.command.includes("ip_vs_stats");
    const same = await isSame(replay, text);
    if (same === undefined) continue;
    compared++;
    if (!same) differing.push(`${text.command}\n${text.stdout}${(await perform(replay, { ev: "cmd", cmd: text.command })).echo.stdout}`);
  }
  assert.deepEqual(differing, []);
  assert.equal(compared, 16);
});

test("settings of net.ipv4.vs begin as in cli.txt", async () => {
  const replay = await createRecordedDirector();
  const recorded = readTexts("with traffic").find((one) => one.command.startsWith("for "))?.stdout ?? "";
  const differing: string[] = [];
  for (const line of lines(recorded)) {
    const [path = "", value = ""] = line.split(" = ");
    const name = path.slice(path.lastIndexOf("/") + 1);
    // A kernel's memory decides how many messages may wait.
    if (name === "sync_qlen_max") continue;
    const { echo } = await perform(replay, { ev: "cmd", cmd: `sysctl net.ipv4.vs.${name}` });
    if (echo.stdout !== `net.ipv4.vs.${name} = ${value}\n`) differing.push(`${line}: ${echo.stdout}${echo.stderr}`);
  }
  assert.deepEqual(differing, []);
});
