// The command language of 1999: its forms, its ten error texts, its table; and no director at all.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { NO_NAMES, type CommandContext, type CommandResult } from "../../host/cli/context.js";
import { runIppfvsadm } from "../../host/cli/ippfvsadm.js";
import { EngineDirector } from "../../host/engine/director.js";
import { Engine } from "../../host/engine/engine.js";
import { Records } from "../../host/engine/records.js";
import { loadEngine } from "../../host/load.js";
import type { ForwardName } from "../../host/protocol.js";

async function create(defaultForward: ForwardName = "masq"): Promise<{ run(line: string): Promise<CommandResult>; records: Records }> {
  const engine = await Engine.create({ module: await loadEngine() });
  const records = new Records(engine.memory);
  const director = new EngineDirector(engine, records, { version: "test", ports: () => [], defaultForward, startedMs: 0 });
  const context: CommandContext = { director, names: NO_NAMES, program: "ippfvsadm", input: async () => "" };
  return { records, run: (line) => runIppfvsadm(line.split(" ").filter((word) => word !== ""), context) };
}

test("the paper's commands make the paper's table", async () => {
  const { run } = await create();
  for (const line of ["-A -t 202.103.106.5:80 -R 172.16.0.2:80 -w 1", "-A -t 202.103.106.5:80 -R 172.16.0.3:8000 -w 2",
    "-A -t 202.103.106.5:21 -R 172.16.0.3:21"]) assert.deepEqual(await run(line), { exitCode: 0, stdout: "", stderr: "" });
  assert.equal((await run("-L")).stdout, [
    "Protocol  Virtual IP Address  Port  Real IP Address  Port  Weight",
    "TCP       202.103.106.5       21    172.16.0.3       21    1",
    "TCP       202.103.106.5       80    172.16.0.2       80    1",
    "TCP       202.103.106.5       80    172.16.0.3       8000  2", "",
  ].join("\n"));
  assert.equal((await run("-D -t 202.103.106.5:21 -R 172.16.0.3:21")).exitCode, 0);
  assert.doesNotMatch((await run("-L")).stdout, /\b21\b/, "the virtual service goes with its last server");
  assert.equal((await run("-C")).exitCode, 0);
  assert.equal((await run("-L")).stdout.split("\n").length, 2);
});

test("the way packets travel is the director's; 127.0.0.1 is the director itself, of all ports", async () => {
  const { run, records } = await create("tunnel");
  await run("-A -t 192.168.1.110:80 -R 192.168.1.2");
  await run("-A -t 192.168.1.110 -R 127.0.0.1");
  const servers = records.table().services.flatMap((service) => service.servers.map((server) => `${server.forward} ${server.port}`));
  assert.deepEqual(servers, ["tunnel 80", "local 0"]);
});

const ERRORS: [string, string][] = [
  ["-A -D", "multiple commands specified"],
  ["-A -t 1.1.1.1:80 -u 1.1.1.1:80", "multiple protocols specified"],
  ["-A -t 1.1.1.1111:80", "illegal virtual server address:port specified"],
  ["-A -t 1.1.1.1:80 -R 2.2.2.2 -R 3.3.3.3", "multiple destinations specified"],
  ["-A -t 1.1.1.1:80 -R 2.2.2.2:99999", "illegal destination specified"],
  ["-A -t 1.1.1.1:80 -R 2.2.2.2 -w 1 -w 2", "multiple server weights specified"],
  ["-A -t 1.1.1.1:80 -R 2.2.2.2 -w heavy", "illegal weight specified"],
  ["-L extra", "unknown arguments found on commandline"],
  ["-A -t 1.1.1.1:80", "insufficient options specified"],
  ["-C -t 1.1.1.1:80", "incompatible options specified"],
];

for (const [line, text] of ERRORS) {
  test(`"${line}": ${text}`, async () => {
    const { run, records } = await create();
    assert.deepEqual(await run(line), { exitCode: 2, stdout: "", stderr: `ippfvsadm: ${text}\n`, usage: true });
    assert.deepEqual(records.table().services, []);
  });
}

for (const name of ["lvsadm", "ipvsadm", "ippfvsadm"]) {
  test(`${name} without a director: what to do, exit 1, no stack`, () => {
    const folder = mkdtempSync(join(tmpdir(), "lvs-cli-"));
    try {
      symlinkSync(fileURLToPath(new URL("../../host/cli/main.js", import.meta.url)), join(folder, name));
      const env = { ...process.env, LVSD_SOCKET: join(folder, "none.sock") };
      const done = spawnSync(process.execPath, [join(folder, name), "-L"], { encoding: "utf8", env });
      assert.equal(done.status, 1);
      assert.equal(done.stdout, "");
      assert.match(done.stderr, /no director is running: .*none\.sock does not exist\. Start lvsd/);
      assert.equal(done.stderr.trim().split("\n").length, 1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}
