// HTTP through every kind of tunnel, to servers that verify the checksums a tunnel has.

import { it } from "node:test";
import { serverAddress, VIRTUAL_ADDRESS } from "../../host/lab/addresses.js";
import { serverAddress6, VIRTUAL_ADDRESS6 } from "./ipv6.js";
import { GUE_PORT } from "../../host/lab/unwrap.js";
import { inNamespaces } from "./inside.js";
import { Farm } from "./web.js";

const GUE = `--tun-type gue --tun-port ${GUE_PORT}`;

// How a server is added, and what its packets then travel in. A remote checksum stands for an inner one that
// is not there yet; ours always is, and the outer one is an ordinary one, as the kernel's for such packets.
const KINDS: readonly [string, string][] = [
  ["-i", "ipip"],
  ["-i --tun-type gre", "gre"],
  ["-i --tun-type gre --tun-csum", "gre with checksum"],
  [`-i ${GUE}`, "gue"],
  [`-i ${GUE} --tun-nocsum`, "gue"],
  [`-i ${GUE} --tun-csum`, "gue with checksum"],
  [`-i ${GUE} --tun-remcsum`, "gue with checksum"],
];

inNamespaces("HTTP through tunnels", import.meta.url, () => {
  it("IPv4 in IPv4", async (context) => {
    const farm = await Farm.build(context, "dr");
    for (const [how, kind] of KINDS) {
      await context.test(how, async () => {
        await farm.serve(`${VIRTUAL_ADDRESS}:80`, [1, 2].map((number) => `${serverAddress("dr", number)}:80`), how);
        await farm.useThrough(`http://${VIRTUAL_ADDRESS}`, `${kind} 4 in 4`);
      });
    }
  });

  it("IPv6 in IPv6", async (context) => {
    const farm = await Farm.build(context, "dr");
    for (const [how, kind] of KINDS) {
      await context.test(how, async () => {
        await farm.serve(`[${VIRTUAL_ADDRESS6}]:80`, [1, 2].map((number) => `[${serverAddress6("dr", number)}]:80`), how);
        await farm.useThrough(`http://[${VIRTUAL_ADDRESS6}]`, `${kind} 6 in 6`);
      });
    }
  });
});
