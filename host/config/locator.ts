// Where in which file something stands, so that every mistake can be told by line and field.

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { isNode, type Document, type LineCounter } from "yaml";
import { whyNot } from "./usage.js";

export interface RuleLine { text: string; where: string }

/** A configuration that cannot be used; each line names file, line and field. */
export class ConfigError extends Error {
  constructor(readonly problems: string[]) {
    super(problems.join("\n"));
  }
}

export type Path = readonly PropertyKey[];

/** Finds lines of fields for messages. */
export class Locator {
  constructor(readonly file: string, private readonly document: Document, private readonly lines: LineCounter) {}

  at(path: Path): string {
    for (let depth = path.length; depth >= 0; depth--) {
      const node: unknown = depth === 0 ? this.document.contents : this.document.getIn(path.slice(0, depth), true);
      if (isNode(node) && node.range) return `${this.file}:${this.lines.linePos(node.range[0]).line}`;
    }
    return `${this.file}:1`;
  }

  problem(path: Path, message: string): string {
    const field = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)).join("").replace(/^\./, "");
    return `${this.at(path)}: ${field === "" ? "" : `${field}: `}${message}`;
  }

  /** Line and field, to begin a message with. */
  where(path: Path): string {
    return this.problem(path, "").replace(/: $/, "");
  }
}

export function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigError([`${file}: ${whyNot(error)}`]);
  }
}

/** Lines that stand in the configuration itself, or in a file that it names. */
export function linesOf(field: string, lines: readonly string[] | string, locator: Locator): RuleLine[] {
  if (typeof lines === "string") return fileLines(lines, locator);
  return lines.map((text, index) => ({ text, where: locator.where([field, index]) }));
}

/** The lines of a file beside the configuration, without comments. */
function fileLines(name: string, locator: Locator): RuleLine[] {
  const file = resolve(dirname(locator.file), name);
  return readText(file).split("\n").map((text, index) => ({ text, where: `${file}:${index + 1}` }))
    .filter((line) => line.text.trim() !== "" && !line.text.trim().startsWith("#"));
}
