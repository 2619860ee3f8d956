// The wirings of docs/OPERATING.md: each command there is tried here.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createInterface } from "node:readline";
import { it, type TestContext } from "node:test";
import type { Load, Report } from "../../host/lab/load.js";
import { patternBytes } from "../../host/lab/pattern.js";
import { Program } from "../../host/lab/program.js";
import type { AgentAnswer } from "../../host/lab/agent.js";
import type { Namespace } from "../../host/lab/namespace.js";
import { inNamespaces, lacking } from "./inside.js";
import { ringProblem } from "./ringprobe.js";
import { assertAnswers, Rig, runLvsadm, until } from "./rig.js";
import { KERNEL_OUT, SHARED_VIRTUAL, VIRTUAL, buildLocal, buildOneArmed, buildRouted, buildShared } from "./routed.js";

const REQUESTS = 400;
const TRANSFER_BYTES = 3 << 20;
const CONTENT = createHash("sha256").update(patternBytes(0, TRANSFER_BYTES)).digest("hex");

type Ask = (load: Load) => Promise<Report>;

/** Requests, a long answer and a long question: all arrive. */
async function proveTraffic(ask: Ask, url: string, servers: Record<string, number>): Promise<void> {
  const report = await ask({ url: `${url}/`, count: REQUESTS, concurrency: 16 });
  assert.deepEqual([report.failures, report.servers], [{}, servers]);
  assert.equal((await ask({ url: `${url}/bytes/${TRANSFER_BYTES}` })).sha256, CONTENT, "download");
  assert.equal((await ask({ url, bodyBytes: TRANSFER_BYTES })).sample, `${CONTENT}\n`, "upload");
}

/** The laboratory's client in any namespace. */
async function clientIn(context: TestContext, namespace: Namespace): Promise<Ask> {
  const program = await Program.start(namespace, "client", "agent.js");
  context.after(() => program.stop());
  const { stdin, stdout } = program.child;
  assert.ok(stdin && stdout);
  const lines = createInterface({ input: stdout });
  return (load) => new Promise((resolve, reject) => {
    lines.once("line", (line) => {
      const answer = JSON.parse(line) as AgentAnswer;
      if ("report" in answer) resolve(answer.report);
      else reject(new Error(answer.error));
    });
    stdin.write(`${JSON.stringify({ id: 1, load })}\n`);
  });
}

inNamespaces("wirings", import.meta.url, () => {
  for (const method of ["nat", "dr", "tun"] as const) {
    it(`A: a TAP in a bridge with the segment, ${method}`, async (context) => {
      const rig = await Rig.start(context as TestContext, method);
      // Weights 1, 2, 3 of 402 requests.
      const report = await rig.client.request({ url: "http://10.0.1.100/", count: 402, concurrency: 16 });
      assert.deepEqual([report.failures, report.servers], [{}, { server1: 67, server2: 134, server3: 201 }]);
    });
  }

  it("A, one arm: NAT with client and servers on one segment", async (context) => {
    const { client, socketPath } = await buildOneArmed(context as TestContext);
    await proveTraffic((load) => client.request(load), "http://10.0.1.100", { web1: REQUESTS / 2, web2: REQUESTS / 2 });
    assert.match((await runLvsadm(socketPath, "-Ln")).stdout, /10\.0\.2\.11:8080 +Masq/);
  });

  it("B: the kernel routes the virtual address to the TAP, NAT", async (context) => {
    const routed = await buildRouted(context as TestContext);
    const ask = await clientIn(context as TestContext, routed.client);
    await proveTraffic(ask, `http://${VIRTUAL}`, { web1: REQUESTS / 2, web2: REQUESTS / 2 });
    if (lacking("ping") === false) assertAnswers(routed.client, VIRTUAL);
    // The director's own address is its kernel's as before: no service answers there.
    const direct = await ask({ url: "http://10.1.0.1/" });
    assert.deepEqual(direct.failures, { ECONNREFUSED: 1 });
  });

  it("local node behind a shared NIC: clients reach the engine, not its kernel past it", async (context) => {
    const { client, socketPath } = await buildLocal(context as TestContext);
    await proveTraffic(await clientIn(context as TestContext, client), `http://${SHARED_VIRTUAL}`, { own: REQUESTS });
    const connections = (await runLvsadm(socketPath, "-Lnc")).stdout.split("\n").filter((line) => line.includes("10.1.0.1:80")).length;
    assert.ok(connections >= REQUESTS, `${connections} connections`);
  });

  for (const driver of ["tap", "uring"] as const) {
    it(`C: NICs shared with the kernel, NAT, driver ${driver}`, async (context) => {
      const problem = driver === "uring" ? ringProblem() : undefined;
      if (problem !== undefined) return (context as TestContext).skip(problem);
      const shared = await buildShared(context as TestContext, driver);
      const ask = await clientIn(context as TestContext, shared.client);
      const url = `http://${SHARED_VIRTUAL}`;
      await proveTraffic(ask, url, { web1: REQUESTS / 2, web2: REQUESTS / 2 });
      const kernel = await ask({ url: `http://${KERNEL_OUT}/` });
      assert.deepEqual(kernel.failures, { ECONNREFUSED: 1 }, "the kernel keeps its own address on the NIC");

      shared.director.ip(["link set dev eth-in1 down", "link set dev eth-in1 up"]);
      const again = await ask({ url: `${url}/`, count: 100, concurrency: 4 });
      assert.deepEqual([again.failures, again.servers], [{}, { web1: 50, web2: 50 }], "after the NIC was down");

      shared.director.ip(["link del dev eth-in2"]);
      assert.ok(await until(() => shared.lvsd.hasEnded), "it goes on without its NIC");
      assert.match(shared.lvsd.log, /eth-in2: the device was taken away/);
      assert.doesNotMatch(shared.lvsd.log, /trapped/);
    });
  }
});
