// HTTP over IPv6 by every method, and the families mixed in tunnels.

import { it } from "node:test";
import { serverAddress, VIRTUAL_ADDRESS } from "../../host/lab/addresses.js";
import { serverAddress6, VIRTUAL_ADDRESS6 } from "./ipv6.js";
import { inNamespaces } from "./inside.js";
import { Farm } from "./web.js";

const SERVICE6 = `[${VIRTUAL_ADDRESS6}]:80`;
const SERVICE4 = `${VIRTUAL_ADDRESS}:80`;

inNamespaces("HTTP over IPv6", import.meta.url, () => {
  it("nat", async (context) => {
    const farm = await Farm.build(context, "nat");
    await farm.serve(SERVICE6, [1, 2].map((number) => `[${serverAddress6("nat", number)}]:8080`), "-m");
    await farm.use(`http://${SERVICE6}`);
  });

  it("dr", async (context) => {
    const farm = await Farm.build(context, "dr");
    await farm.serve(SERVICE6, [1, 2].map((number) => `[${serverAddress6("dr", number)}]:80`), "-g");
    await farm.use(`http://${SERVICE6}`);
  });

  it("tun: IPv6 in IPv6, IPv6 in IPv4, IPv4 in IPv6", async (context) => {
    const farm = await Farm.build(context, "dr");
    const servers6 = [1, 2].map((number) => `[${serverAddress6("dr", number)}]:80`);
    const servers4 = [1, 2].map((number) => `${serverAddress("dr", number)}:80`);
    await farm.serve(SERVICE6, servers6, "-i");
    await farm.useThrough(`http://${SERVICE6}`, "ipip 6 in 6");
    await farm.serve(SERVICE6, servers4, "-i");
    await farm.useThrough(`http://${SERVICE6}`, "ipip 6 in 4");
    await farm.serve(SERVICE4, servers6, "-i");
    await farm.useThrough(`http://${SERVICE4}`, "ipip 4 in 6");
  });
});
