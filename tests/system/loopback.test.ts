// A server of 127.0.0.1 is the director itself, as ldirectord's usual fallback says it.

import assert from "node:assert/strict";
import { it } from "node:test";
import { VIRTUAL_ADDRESS } from "../../host/lab/addresses.js";
import { SERVICE_URL } from "../../host/lab/network.js";
import { inNamespaces } from "./inside.js";
import { Rig } from "./rig.js";

const REQUESTS = 20;

inNamespaces("the local node", import.meta.url, () => {
  it("127.0.0.1 as a server is the director's own", async (context) => {
    const service = `${VIRTUAL_ADDRESS}:80`;
    const rig = await Rig.start(context, "local", { rules: [`-A -t ${service} -s rr`, `-a -t ${service} -r 127.0.0.1:80 -g`] });
    const report = await rig.client.request({ url: SERVICE_URL, count: REQUESTS });
    assert.deepEqual([report.failures, report.servers], [{}, { director: REQUESTS }]);
  });
});
