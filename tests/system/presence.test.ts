// Which devices are said to have been taken away: those that are gone, not those that are down.

import assert from "node:assert/strict";
import { it } from "node:test";
import { LOOK_MS, type Device } from "../../host/io/driver.js";
import { Presence } from "../../host/io/presence.js";
import { close } from "../../host/io/sys/libc.js";
import { openPacketSocket } from "../../host/io/sys/packetsocket.js";
import { openTap } from "../../host/io/sys/tun.js";
import { Namespace } from "../../host/lab/namespace.js";
import { inNamespaces } from "./inside.js";

const TAP = { vnetHeader: true, offloads: true };

inNamespaces("presence of devices", import.meta.url, () => {
  it("TAPs and sockets of devices that were taken away are named; those of devices that are down are not", async (context) => {
    const namespace = await Namespace.create("lvs-presence");
    const descriptors: number[] = [];
    context.after(async () => {
      descriptors.forEach(close);
      await namespace.close();
    });
    namespace.ip(["link add presence-wire type veth peer name presence-peer", "link set presence-wire up"]);
    descriptors.push(openTap("presence-a", { ...TAP, namespacePath: namespace.path }), openTap("presence-b", { ...TAP, namespacePath: namespace.path }));
    descriptors.push(openPacketSocket("presence-wire", { mac: new Uint8Array([2, 0, 0, 0, 0, 1]), namespacePath: namespace.path }));
    const devices: Device[] = [
      { index: 0, name: "presence-a", descriptor: descriptors[0] ?? -1 },
      { index: 1, name: "presence-b", descriptor: descriptors[1] ?? -1 },
      { index: 2, name: "presence-wire", descriptor: descriptors[2] ?? -1 },
      { index: 3, name: "by AF_XDP alone", descriptor: -1 },
    ];
    const presence = new Presence(devices);
    presence.check();
    namespace.ip(["link set presence-a up", "link set presence-b up"]);
    namespace.ip(["link set presence-b down", "link set presence-wire down"]);
    presence.check();
    namespace.ip(["link del presence-wire"]);
    assert.throws(() => presence.check(), /presence-wire: the device was taken away/);
    const taps = new Presence(devices.filter(({ name }) => name !== "presence-wire"));
    taps.check();
    namespace.ip(["link del presence-b"]);
    assert.throws(() => taps.check(), /presence-b: the device was taken away/);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    assert.throws(() => taps.look(), /presence-b: the device was taken away/);
  });
});
