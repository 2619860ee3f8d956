// Two directors of one network: the first tells the second of its connections; the first ends, its addresses move to
// the second, and a connection that was in the middle of its work goes on.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { DIRECTOR_ADDRESS, DIRECTOR_INNER_ADDRESS, VIRTUAL_ADDRESS, VIRTUAL_PORT } from "../../host/lab/addresses.js";
import { labRules } from "../../host/lab/director.js";
import { CLIENTS, SERVERS } from "../../host/lab/network.js";
import { inNamespaces } from "./inside.js";
import { Lvsd } from "./lvsd.js";
import { makeFolder, Rig, runLvsadm, until } from "./rig.js";

const TALKER = fileURLToPath(new URL("./talker.js", import.meta.url));
const SECOND_OUT = "lvs-out2";
const SECOND_IN = "lvs-in2";
const TOLD_MS = 60_000;
const ANSWERS_AFTER = 10;

/** The second director's file: with addresses of its own, and later with those of the first too. */
function secondConfig(socketPath: string, taken: boolean): string {
  const also = (address: string): string[] => (taken ? [address] : []);
  return stringify({
    "control-socket": socketPath,
    "ports": [
      { name: "out", device: SECOND_OUT, addresses: ["10.0.1.2/24", ...also(`${DIRECTOR_ADDRESS}/32`), ...also(`${VIRTUAL_ADDRESS}/32`)] },
      { name: "in", device: SECOND_IN, addresses: ["10.0.2.2/24", ...also(`${DIRECTOR_INNER_ADDRESS}/32`)] },
    ],
    "sync": { backup: { port: "in", id: 7 } },
    "rules": labRules("nat", 3),
  });
}

inNamespaces("two directors", import.meta.url, () => {
  it("a client's connection survives the first", async (context) => {
    const rig = await Rig.start(context, "nat", { more: { sync: { master: { port: "in", id: 7 } } } });
    const folder = makeFolder(context);
    const [file, socketPath] = [join(folder, "second.yaml"), join(folder, "second.sock")];
    writeFileSync(file, secondConfig(socketPath, false));
    const second = await Lvsd.start(rig.network.wire, ["--config", file]);
    context.after(() => (second.hasEnded ? undefined : second.end("SIGTERM")));
    assert.ok(second.isReady, second.log);
    rig.network.wire.ip([`link set dev ${SECOND_OUT} master ${CLIENTS} up`, `link set dev ${SECOND_IN} master ${SERVERS} up`]);

    const words = ["--pdeathsig", "KILL", process.execPath, TALKER, VIRTUAL_ADDRESS, String(VIRTUAL_PORT)];
    const talker = rig.network.client.spawn("setpriv", words, ["ignore", "pipe", "inherit"]);
    let answers = 0;
    talker.stdout?.on("data", (data: Buffer) => (answers += data.length));
    context.after(() => talker.kill("SIGKILL"));
    const isTold = async (): Promise<boolean> => (await runLvsadm(socketPath, "-Lnc")).stdout.includes(`ESTABLISHED 10.0.1.50:`);
    assert.ok(await until(isTold, TOLD_MS), `the second is told: ${(await runLvsadm(socketPath, "status")).stdout}`);
    assert.match((await runLvsadm(socketPath, "proc ip_vs_conn_sync")).stdout, /ESTABLISHED SYNC/);

    await rig.director.stop();
    writeFileSync(file, secondConfig(socketPath, true));
    assert.match(await second.reload(), /"changes":\[/);
    const before = answers;
    assert.ok(await until(() => answers >= before + ANSWERS_AFTER || talker.exitCode !== null, TOLD_MS), `${answers - before} answers from the second`);
    assert.equal(talker.exitCode, null, "the connection lives");
  });
});
