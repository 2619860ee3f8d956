// A command line as switches with their arguments: long and short, combined, "--long=value", "-p300".

import { CommandFailure } from "./context.js";
import { SWITCHES, type Switch } from "./options.js";

export interface Given {
  switch: Switch;
  /** The word it was typed in, or its argument's, for messages. */
  text: string;
  argument?: string;
}

export interface Words {
  given: Given[];
  rest: string[];
  /** What could not be understood; later switches were not read. */
  problem?: { text: string; reason: string };
}

function named(long: string): Switch | undefined {
  return SWITCHES.find((one) => one.long === long);
}

/** Reads the words left to right and stops at the first that is no switch of ours. */
export function readWords(words: readonly string[]): Words {
  const read: Words = { given: [], rest: [] };
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word === "--") {
      read.rest.push(...words.slice(at + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      read.rest.push(word);
      continue;
    }
    at += word.startsWith("--") ? readLong(word, words[at + 1], read) : readShort(word, words[at + 1], read);
    if (read.problem) break;
  }
  return read;
}

/** Answers how many further words were taken. */
function readLong(word: string, next: string | undefined, read: Words): number {
  const equals = word.indexOf("=");
  const found = named(word.slice(2, equals < 0 ? undefined : equals));
  if (!found || (found.argument === "none" && equals >= 0)) {
    read.problem = { text: word, reason: found ? "option does not take an argument" : "unknown option" };
    return 0;
  }
  return take(found, word, equals < 0 ? undefined : word.slice(equals + 1), next, read);
}

function readShort(word: string, next: string | undefined, read: Words): number {
  for (let place = 1; place < word.length; place++) {
    const letter = word[place] ?? "";
    const found = SWITCHES.find((one) => one.short === letter);
    if (!found) {
      read.problem = { text: word, reason: "unknown option" };
      return 0;
    }
    if (found.argument === "none" && word[place + 1] === "=") {
      read.problem = { text: word, reason: "option does not take an argument" };
      return 0;
    }
    if (found.argument === "none") {
      read.given.push({ switch: found, text: word });
      continue;
    }
    const glued = word.slice(place + 1);
    return take(found, word, glued === "" ? undefined : glued.replace(/^=/, ""), next, read);
  }
  return 0;
}

function take(found: Switch, text: string, glued: string | undefined, next: string | undefined, read: Words): number {
  if (found.argument === "none") {
    read.given.push({ switch: found, text });
    return 0;
  }
  if (glued !== undefined) {
    read.given.push({ switch: found, text, argument: glued });
    return 0;
  }
  if (next === undefined || (found.argument === "optional" && next.startsWith("-"))) {
    if (found.argument === "needed") read.problem = { text, reason: "missing argument" };
    else read.given.push({ switch: found, text });
    return 0;
  }
  // Messages name the last word that was read.
  read.given.push({ switch: found, text: next, argument: next });
  return 1;
}

/** The text for whoever gave no command at all. */
export function tryHelp(program: string): CommandFailure {
  return new CommandFailure(255, `Try \`${program} -h' or '${program} --help' for more information.`, true);
}

/** A command line or rule line split into words, with the shell's quoting but nothing else of a shell. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < line.length; at++) {
    const letter = line[at] ?? "";
    if (quote !== "") {
      if (letter === quote) quote = "";
      else if (letter === "\\" && quote === '"' && /["\\$`]/.test(line[at + 1] ?? "")) word += line[++at] ?? "";
      else word += letter;
    } else if (letter === "'" || letter === '"') {
      quote = letter;
      word ??= "";
    } else if (letter === "\\") word = (word ?? "") + (line[++at] ?? "");
    else if (/\s/.test(letter)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + letter;
  }
  if (quote !== "") throw new RangeError("a quotation mark is not closed");
  if (word !== undefined) words.push(word);
  return words;
}
