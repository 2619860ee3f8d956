// A director with one table, taken to another by a plan.

import { applyNetwork, applyRules } from "../../host/config/apply.js";
import type { Config } from "../../host/config/config.js";
import { planTable } from "../../host/daemon/plan.js";
import { EngineDirector } from "../../host/engine/director.js";
import { Engine } from "../../host/engine/engine.js";
import { Records } from "../../host/engine/records.js";
import type { Table } from "../../host/protocol.js";

export async function applyPlan(module: WebAssembly.Module, before: Config, goal: Table): Promise<Table> {
  const engine = await Engine.create({ module, bucketBits: 8 });
  const records = new Records(engine.memory);
  const director = new EngineDirector(engine, records, { version: "test", ports: () => [], defaultForward: "masq", startedMs: 0 });
  await applyNetwork(engine, before);
  await applyRules(director, before.rules);
  for (const request of planTable(records.table(), goal)) {
    const reply = await director.request(request);
    if (!reply.ok) throw new Error(`${request.do}: ${reply.error}`);
  }
  return records.table();
}
