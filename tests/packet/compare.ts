// What was expected and what came: the written words must agree, and some must even when they are not written.

import type { PacketText } from "./text.js";

/** Words whose absence is a statement: no flag, no fragment, no extension header, every checksum right. */
const ALWAYS = ["kind", "flags", "frag", "mf", "message", "headers", "checksum", "header"];

/** The words of `expected` that `got` does not say; empty when they agree. */
export function differences(expected: PacketText, got: PacketText, quoted = false): string[] {
  if (expected.fields.has("hex")) return expected.fields.get("hex") === got.fields.get("hex") ? [] : ["hex"];
  const names = new Set([...expected.fields.keys(), ...ALWAYS]);
  names.delete("cut");
  const wrong = [...names].filter((name) => !agrees(name, expected, got, quoted));
  if (!expected.inner !== !got.inner && (expected.inner || !quoted)) wrong.push("[ ]");
  const quotes = quoted || expected.fields.get("kind")?.startsWith("icmp") === true;
  if (expected.inner && got.inner) wrong.push(...differences(expected.inner, got.inner, quotes).map((name) => `[ ${name} ]`));
  return wrong;
}

function agrees(name: string, expected: PacketText, got: PacketText, quoted: boolean): boolean {
  const said = expected.fields.get(name);
  const is = got.fields.get(name);
  if (name === "checksum") return checksumAgrees(said, is, expected.fields.get("kind"), quoted);
  // A first fragment's flags are there, whether a quotation's are depends on its length.
  if (name === "flags" && said === undefined && (got.fields.has("frag") || quoted)) return true;
  if (name === "mf") return (said ?? "no") === (is ?? "no");
  return said === is || (said === "no" && is === undefined) || (name === "flags" && said === undefined && is === "");
}

/** Unwritten, a checksum must be right; a tunnel's own may be left out; a quotation's cannot be known (the kernel leaves it). */
function checksumAgrees(said: string | undefined, is: string | undefined, kind: string | undefined, quoted: boolean): boolean {
  if (said !== undefined) return said === is;
  if (is === undefined || is === "right") return true;
  if (kind === "gre" || kind === "gue") return is === "zero";
  return quoted && is === "wrong";
}
