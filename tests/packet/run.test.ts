// Every case of the Markdown files beside this one, against the release Wasm.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readConfig, type Config } from "../../host/config/config.js";
import { loadEngine } from "../../host/load.js";
import { Replay, type EmittedFrame } from "../../host/replay/replay.js";
import { differences } from "./compare.js";
import { readCases, type Case, type FrameText, type Step } from "./language.js";
import { frameOf, textOf, wholeDatagrams } from "./network.js";
import { formatPacket } from "./text.js";

const folder = new URL("../../../tests/packet/", import.meta.url);
const network = fileURLToPath(new URL("../oracle/director.yaml", folder));
const module = await loadEngine();

/** One case on a director of its own. */
class Run {
  private constructor(private readonly file: string, private readonly replay: Replay, private readonly config: Config) {}

  static async begin(file: string): Promise<Run> {
    const config = readConfig(network);
    return new Run(file, await Replay.create(module, config), config);
  }

  async play(one: Case): Promise<void> {
    for (const step of one.configuration) await this.step(step, true);
    for (const step of one.steps) await this.step(step, false);
  }

  private async step(step: Step, isConfiguration: boolean): Promise<void> {
    if (step.kind === "connect") return this.connect(step);
    const said: string[] = [];
    let frames: EmittedFrame[];
    if (step.kind === "send") frames = this.replay.receive(step.frame.port, frameOf(step.frame, this.config));
    else if (step.kind === "wait") frames = this.replay.advance(step.seconds);
    else {
      const done = await this.replay.command(step.script);
      frames = done.frames;
      said.push(...`${done.result.stdout}${done.result.stderr}`.split("\n").map((line) => line.trimEnd()).filter((line) => line !== ""));
      const isSetting = step.text.startsWith("sysctl -w") || isConfiguration;
      if (isSetting) this.check(step.line, done.result.exitCode === 0, `${step.text} failed: ${done.result.stderr}`);
      else this.compareTexts(step.line, step.text, step.said, said);
    }
    this.compareFrames(step.line, step.expected, frames);
  }

  /** Clients one after the other: each must reach the server that is named, or be refused. */
  private connect(step: Step & { kind: "connect" }): void {
    const got = step.frames.map((frame) => this.choice(this.replay.receive(frame.port, frameOf(frame, this.config))));
    this.check(step.line, got.join(" ") === step.choices.join(" "), `\n  expected => ${step.choices.join(" ")}\n       got => ${got.join(" ")}`);
  }

  private choice(frames: EmittedFrame[]): string {
    if (frames.length === 0) return "x";
    const [first] = frames.map((frame) => textOf(frame, this.config));
    if (frames.length > 1 || !first) return `${frames.length} frames`;
    if (first.packet.fields.get("message") === "port-unreachable") return "-";
    return /(\w+)$/.exec(first.packet.fields.get("via") ?? "")?.[1] ?? "?";
  }

  private compareFrames(line: number, expected: FrameText[], sent: EmittedFrame[]): void {
    const got = sent.map((frame) => textOf(frame, this.config));
    const told = (frame: FrameText | undefined): string => (frame ? `< ${frame.port} ${formatPacket(frame.packet)}` : "nothing");
    for (let at = 0; at < Math.max(expected.length, got.length); at++) {
      const [wanted, is] = [expected[at], got[at]];
      const wrong = !wanted || !is ? ["nothing"] : [...(wanted.port === is.port ? [] : ["port"]), ...differences(wanted.packet, is.packet)];
      this.check(wanted?.line ?? line, wrong.length === 0, `\n  expected ${told(wanted)}\n       got ${told(is)}\n    differs in ${wrong.join(", ")}`);
    }
    for (const datagram of wholeDatagrams(sent)) {
      this.check(line, datagram.fields.get("checksum") !== "wrong", `the pieces' datagram has a wrong checksum: ${formatPacket(datagram)}`);
    }
  }

  private compareTexts(line: number, text: string, expected: string[], got: string[]): void {
    // Connections are listed in the order of a hash, which is nobody's business.
    const ordered = (lines: string[]): string => (/-L?\w*c|\bconnection/.test(text) ? [...lines].sort() : lines).join("\n    ");
    this.check(line, ordered(expected) === ordered(got), `${text}\n  expected\n    ${ordered(expected)}\n  got\n    ${ordered(got)}`);
  }

  private check(line: number, right: boolean, reason: string): void {
    assert.ok(right, `${this.file}:${line}: ${reason}`);
  }
}

const asked = process.env["LVS_PACKET"];
const files = readdirSync(folder).filter((name) => name.endsWith(".md") && name !== "README.md" && (!asked || name.includes(asked)));
// All are read before the first runs: a line that is not understood stops everything.
const all = files.map((file) => ({ file, cases: readCases(readFileSync(new URL(file, folder), "utf8"), `tests/packet/${file}`) }));
for (const { file, cases } of all) {
  for (const one of cases) {
    test(`${file.replace(".md", "")}: ${one.title}`, async () => {
      await (await Run.begin(`tests/packet/${file}`)).play(one);
    });
  }
}
