// The configuration's marks: fields, or iptables' own lines.

import { MarkError, readMarkLine } from "../cli/marks.js";
import { parseAddress } from "../engine/address.js";
import type { MarkRule } from "../protocol.js";
import { linesOf, type Locator } from "./locator.js";
import type { ConfigText } from "./schema.js";

export interface PortMark {
  rule: MarkRule;
  /** Place of the port it is for, 0 for all. */
  port: number;
}

type Marks = ConfigText["marks"];
type MarkFields = Exclude<Exclude<Marks, string>[number], string>;

/** What iptables-save writes around the rules of a table. */
const AROUND = /^(\*mangle|:[A-Z]+ .*|COMMIT)$/;

/** All marks in their order; `places` are the ports' by name. What is wrong goes to `problems`. */
export function readMarks(marks: Marks, locator: Locator, places: ReadonlyMap<string, number>, problems: string[]): PortMark[] {
  const placed = (rule: MarkRule, where: string): PortMark[] => {
    const port = rule.interface === "" ? 0 : places.get(rule.interface);
    if (port === undefined) problems.push(`${where}: there is no port "${rule.interface}"`);
    return port === undefined ? [] : [{ rule, port }];
  };
  const line = (text: string, where: string): PortMark[] => {
    try {
      return readMarkLine(text).flatMap((rule) => placed(rule, where));
    } catch (error) {
      if (!(error instanceof MarkError)) throw error;
      problems.push(`${where}: ${error.message}`);
      return [];
    }
  };
  if (typeof marks === "string") {
    const rules = linesOf("marks", marks, locator).filter(({ text }) => !AROUND.test(text.trim()));
    return rules.flatMap(({ text, where }) => line(text, where));
  }
  return marks.flatMap((mark, index) => (
    typeof mark === "string" ? line(mark, locator.where(["marks", index])) : placed(fieldsRule(mark), locator.where(["marks", index, "port"]))
  ));
}

function fieldsRule(mark: MarkFields): MarkRule {
  const [low = "0", high = low] = mark.ports === undefined ? ["0", "65535"] : String(mark.ports).split("-");
  const family = parseAddress((mark.destination ?? mark.source ?? "0.0.0.0").split("/")[0] ?? "")?.family ?? 4;
  return {
    family, interface: mark.port ?? "", source: mark.source ?? "", destination: mark.destination ?? "",
    protocol: mark.protocol ?? "", portLow: Number(low), portHigh: Number(high), mark: mark.mark,
  };
}
