// What is wrong with a field, in words for who wrote it. They follow the field's name: "ports[0].mtu: is above 65535".

import type { z } from "zod";

const KINDS: ReadonlyMap<string, string> = new Map([
  ["array", "a list"], ["object", "a group of fields"], ["record", "a group of fields"], ["string", "a text"],
  ["number", "a number"], ["int", "a whole number"], ["boolean", "true or false"],
]);

/** A mistake that the schema has no words of its own for; undefined where zod's must do. */
export function wordsFor(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type": return issue.input === undefined ? "is missing" : `is not ${KINDS.get(issue.expected) ?? issue.expected}`;
    case "invalid_value": return `is none of ${issue.values.join(", ")}`;
    case "too_small": return issue.origin === "string" ? "is empty" : `is below ${issue.minimum}`;
    case "too_big": return issue.origin === "array" ? `has more than ${issue.maximum} entries` : `is above ${issue.maximum}`;
    default: return undefined;
  }
}
