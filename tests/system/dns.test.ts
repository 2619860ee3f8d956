// DNS over UDP with one-packet scheduling: questions of one socket go to all servers by turns.

import assert from "node:assert/strict";
import { join } from "node:path";
import { it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { serverAddress, VIRTUAL_ADDRESS } from "../../host/lab/addresses.js";
import { LabDirector } from "../../host/lab/director.js";
import { addIpv6, EXTRA6, serverAddress6, VIRTUAL_ADDRESS6 } from "./ipv6.js";
import { Network } from "../../host/lab/network.js";
import { runClient, startServer } from "./foreign.js";
import { inNamespaces, lacking } from "./inside.js";
import { makeFolder } from "./rig.js";

const SERVERS = 3;
const QUESTIONS = 1000;
const DNS_PORT = 53;

interface Told { answered: number; answers: Record<string, number> }

const answerOf = (number: number): string => `10.9.9.${number}`;

/** Three dnsmasq; each answers every name below site.test with an address of its own. */
async function build(context: TestContext, switches: string, method: "dr" | "nat" = "dr"): Promise<Network> {
  const network = await Network.build(method, SERVERS);
  context.after(() => network.stop());
  assert.ok(addIpv6(network));
  await Promise.all(network.servers.map((server, index) => startServer(context, server, "dnsmasq", [
    "--conf-file=/dev/null", "--keep-in-foreground", "--pid-file=", "--user=", "--no-resolv", "--no-hosts", "--cache-size=0",
    `--address=/site.test/${answerOf(index + 1)}`,
  ], { table: "udp6", port: DNS_PORT })));
  const rules = [`${VIRTUAL_ADDRESS}:${DNS_PORT}`, `[${VIRTUAL_ADDRESS6}]:${DNS_PORT}`].flatMap((service, six) => [
    `-A -u ${service} -s rr ${switches}`.trim(),
    ...[1, 2, 3].map((number) => {
      const address = six === 1 ? `[${serverAddress6(method, number)}]` : serverAddress(method, number);
      return `-a -u ${service} -r ${address}:${DNS_PORT} ${method === "nat" ? "-m" : "-g"}`;
    }),
  ]);
  const director = await LabDirector.start(network, join(makeFolder(context), "lvsd.sock"), rules, EXTRA6);
  context.after(() => director.stop());
  return network;
}

async function ask(network: Network, server: string): Promise<Told> {
  const program = fileURLToPath(new URL("resolve.js", import.meta.url));
  const done = await runClient(network.client, process.execPath, [program, server, String(QUESTIONS)]);
  assert.equal(done.status, 0, done.stderr);
  return JSON.parse(done.stdout) as Told;
}

const skip = lacking("dnsmasq", "setpriv");

inNamespaces("DNS", import.meta.url, () => {
  for (const method of ["dr", "nat"] as const) {
    it(`one packet scheduling, ${method}: 1000 questions of one port, by turns to three servers`, { skip }, async (context) => {
      const network = await build(context, "-o", method);
      for (const server of [VIRTUAL_ADDRESS, VIRTUAL_ADDRESS6]) {
        const told = await ask(network, server);
        assert.equal(told.answered, QUESTIONS);
        const counts = [1, 2, 3].map((number) => told.answers[answerOf(number)] ?? 0).sort();
        assert.deepEqual(counts, [333, 333, 334]);
      }
    });
  }

  it("without it one port is one connection, and one server answers it all", { skip }, async (context) => {
    const told = await ask(await build(context, ""), VIRTUAL_ADDRESS);
    assert.deepEqual([told.answered, Object.values(told.answers)], [QUESTIONS, [QUESTIONS]]);
  });
});
