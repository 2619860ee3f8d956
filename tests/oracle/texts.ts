// The recorded texts of the real ipvsadm: each command with what it printed and how it ended.

import { readFileSync } from "node:fs";

export interface Said { exitCode: number; stdout: string; stderr: string }
export interface RecordedText extends Said { command: string }

const folder = new URL("../../../tests/oracle/recordings/", import.meta.url);

/** Commands of one section, as "normal", "wrong" or "with traffic" of cli.txt. */
export function readTexts(name: string, file = "cli.txt"): RecordedText[] {
  const section = readFileSync(new URL(file, folder), "utf8").split(/^######## /m).find((part) => part.startsWith(name)) ?? "";
  return section.split(/^\$ /m).slice(1).map((part) => {
    const lines = part.split("\n");
    const marked = (mark: string): string => lines.filter((line) => line.startsWith(mark)).map((line) => `${line.slice(1)}\n`).join("");
    return { command: lines[0] ?? "", exitCode: Number(/\[exit (\d+)\]/.exec(part)?.[1]), stdout: marked("|"), stderr: marked("!") };
  });
}

const lines = (one: Said): string[] => [
  `[exit ${one.exitCode}]`,
  ...one.stdout.split("\n").map((line) => `|${line}`),
  ...one.stderr.split("\n").map((line) => `!${line}`),
];

/** Where a command was answered otherwise: only the lines that differ. */
export function describeTexts(command: string, theirs: Said, ours: Said): string {
  const [left, right] = [lines(theirs), lines(ours)];
  const only = (ones: string[], others: string[]): string[] => ones.filter((line) => !others.includes(line));
  return [`$ ${command}`, ...only(left, right).map((line) => ` kernel ${line}`), ...only(right, left).map((line) => ` ours   ${line}`)].join("\n");
}
