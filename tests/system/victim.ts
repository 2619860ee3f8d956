// Builds a laboratory, says which namespaces it is, and waits to be killed.

import { readlinkSync } from "node:fs";
import { Client } from "../../host/lab/client.js";
import { Network } from "../../host/lab/network.js";

const LIFE_MS = 60_000;

const network = await Network.build("dr", 2);
await network.startServers();
await Client.start(network);
const all = [network.client, network.director, network.wire, ...network.servers];
process.stdout.write(`${JSON.stringify(all.map((namespace) => readlinkSync(namespace.path)))}\n`);
setTimeout(() => process.exit(1), LIFE_MS);
