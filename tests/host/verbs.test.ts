// Verbs of lvsadm's own that wait, on a director in this process.

import assert from "node:assert/strict";
import { test } from "node:test";
import { runIpvsadm } from "../../host/cli/ipvsadm.js";
import { runVerb } from "../../host/cli/verbs.js";
import { createContext } from "../oracle/said.js";

test("drain empties a server of every protocol behind the address and port, and says who is meant when nobody is", async () => {
  const context = await createContext();
  const run = async (line: string): Promise<string> => (await runIpvsadm(line.split(" "), context)).stdout;
  for (const service of ["-t 10.0.1.100:53", "-u 10.0.1.100:53"]) {
    await run(`-A ${service} -s rr`);
    for (const server of ["10.0.2.11:53", "10.0.2.11:5353", "10.0.2.12:53"]) await run(`-a ${service} -r ${server} -m -w 4`);
  }
  const drain = (...words: string[]): ReturnType<typeof runVerb> => runVerb(["drain", ...words], context, () => {});
  assert.deepEqual(await drain("10.0.1.100:53", "10.0.2.11:53", "1"), { exitCode: 0, stdout: "10.0.2.11:53 is empty\n", stderr: "" });
  const weights = async (): Promise<string[]> => {
    const servers = (await run("-Sn")).split("\n").filter((line) => line.startsWith("-a"));
    return servers.map((line) => line.replace(/.*-r (\S+) .*-w (\d).*/, "$1 $2"));
  };
  assert.deepEqual(await weights(), ["10.0.2.11:53 0", "10.0.2.11:5353 4", "10.0.2.12:53 4", "10.0.2.11:53 0", "10.0.2.11:5353 4", "10.0.2.12:53 4"]);
  await drain("10.0.1.100:53", "10.0.2.11", "1");
  assert.deepEqual((await weights()).slice(0, 3), ["10.0.2.11:53 0", "10.0.2.11:5353 0", "10.0.2.12:53 4"]);
  for (const [words, exitCode, text] of [
    [["10.0.1.100:54", "10.0.2.11:53"], 1, "No such service"], [["10.0.1.100:53", "10.0.2.13:53"], 1, "No such destination"],
    [["10.0.1.100:53", "10.0.2.300"], 2, "illegal real server address[:port] specified"], [["10.0.1.100:53"], 2, "drain needs VIP:PORT RIP:PORT [SECONDS]"],
  ] as const) {
    const said = await drain(...words);
    assert.deepEqual([said.exitCode, said.stderr], [exitCode, `${text}\n`]);
  }
});
