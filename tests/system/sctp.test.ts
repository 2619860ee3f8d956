// SCTP between real kernels through the director; and the same programs over TCP, which every kernel has.

import assert from "node:assert/strict";
import { join } from "node:path";
import { it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { serverAddress, VIRTUAL_ADDRESS } from "../../host/lab/addresses.js";
import { LabDirector } from "../../host/lab/director.js";
import { Network } from "../../host/lab/network.js";
import { ended, firstLine } from "../../host/lab/process.js";
import { runClient } from "./foreign.js";
import { inNamespaces, works } from "./inside.js";
import { makeFolder } from "./rig.js";

const TCP = 6;
const SCTP = 132;
const PORT = 7000;
const ASSOCIATIONS = 100;
const READY_MS = 10_000;

const program = fileURLToPath(new URL("stream.js", import.meta.url));

async function echo(context: TestContext, protocol: number, service: string): Promise<void> {
  const network = await Network.build("nat", 2);
  context.after(() => network.stop());
  for (const [index, server] of network.servers.entries()) {
    const words = ["--pdeathsig", "KILL", process.execPath, program, "serve", String(protocol), String(PORT), `server${index + 1}`];
    const child = server.spawn("setpriv", words, ["ignore", "pipe", "pipe"]);
    context.after(async () => {
      child.kill("SIGKILL");
      await ended(child);
    });
    await firstLine(child, `echo ${index + 1}`, READY_MS);
  }
  const rules = [`-A ${service} -s rr`, ...[1, 2].map((number) => `-a ${service} -r ${serverAddress("nat", number)}:${PORT} -m`)];
  const director = await LabDirector.start(network, join(makeFolder(context), "lvsd.sock"), rules);
  context.after(() => director.stop());
  const done = await runClient(network.client, process.execPath, [program, "ask", String(protocol), VIRTUAL_ADDRESS, String(PORT), String(ASSOCIATIONS)]);
  assert.equal(done.status, 0, done.stderr);
  assert.deepEqual(JSON.parse(done.stdout), { server1: ASSOCIATIONS / 2, server2: ASSOCIATIONS / 2 });
}

const hasSctp = works(process.execPath, [program, "probe", String(SCTP)]);

inNamespaces("echo by bare sockets", import.meta.url, () => {
  it("TCP", (context) => echo(context, TCP, `-t ${VIRTUAL_ADDRESS}:${PORT}`));

  it("SCTP", { skip: hasSctp ? false : "this kernel has no SCTP" }, (context) =>
    echo(context, SCTP, `--sctp-service ${VIRTUAL_ADDRESS}:${PORT}`));
});
