// Every frame at the director's ports has right checksums, under a mixed load; and where the kernel leaves
// checksums and segments to later (offloads), what arrives at the ends is right.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { VIRTUAL_ADDRESS, serverAddress, type Method } from "../../host/lab/addresses.js";
import { labRules } from "../../host/lab/director.js";
import { SERVICE_URL, type Network } from "../../host/lab/network.js";
import { Capture, cannotCapture, judge, type Judgement } from "./capture.js";
import { inNamespaces, lacking } from "./inside.js";
import { Rig, makeFolder } from "./rig.js";
import { WITH, WebServers, digest } from "./webserver.js";

const SERVERS = 3;
const TRANSFER_BYTES = 3 << 20;
const ECHO_PORT = 7000;
const CLOSED_PORT = 7001;
const NOBODYS_PORT = 7002;
const LONG_BYTES = 4000;
const SWITCH = { nat: "-m", dr: "-g", tun: "-i" };
const METHODS = ["nat", "dr", "tun"] as const;
type Remote = (typeof METHODS)[number];

const ECHO = new URL("udpecho.js", import.meta.url);
const CLIENT = fileURLToPath(new URL("udpclient.js", import.meta.url));

function rules(method: Remote): string[] {
  const udp = [ECHO_PORT, CLOSED_PORT].flatMap((port) => [
    `-A -u ${VIRTUAL_ADDRESS}:${port} -s rr`,
    ...Array.from({ length: SERVERS }, (_, index) => `-a -u ${VIRTUAL_ADDRESS}:${port} -r ${serverAddress(method, index + 1)}:${port} ${SWITCH[method]}`),
  ]);
  return [...labRules(method, SERVERS), ...udp];
}

async function startServers(network: Network, web: WebServers): Promise<void> {
  await web.start(network);
  for (const [index, server] of network.servers.entries()) {
    // Answers come from the address that was asked; only NAT changes it.
    const own = network.method === "nat" ? serverAddress("nat", index + 1) : VIRTUAL_ADDRESS;
    await network.start(server, `echo${index + 1}`, ECHO.href, [own, String(ECHO_PORT)]);
  }
}

/** Checksums and segments are complete when a frame leaves its sender. */
function withoutOffloads(network: Network): void {
  for (const one of [network.client, ...network.servers]) {
    one.output("ethtool", ["-K", "eth0", "tx", "off", "sg", "off", "tso", "off", "gso", "off", "gro", "off"]);
  }
}

/** TCP both ways, requests, datagrams short and long, pings short and long, ICMP errors from everybody. */
async function mixedLoad(rig: Rig, web: WebServers): Promise<void> {
  const udp = (...words: string[]): string => rig.network.client.output(process.execPath, [CLIENT, ...words]).trim();
  const requests = rig.client.request({ url: `${SERVICE_URL}/`, count: 300, concurrency: 16 });
  assert.equal(udp("ask", VIRTUAL_ADDRESS, String(ECHO_PORT), "100", "30"), "30");
  // Through a tunnel it is the outer packets that are cut, and the laboratory's decapsulator does not put those together.
  if (rig.network.method !== "tun") assert.equal(udp("ask", VIRTUAL_ADDRESS, String(ECHO_PORT), String(LONG_BYTES), "10"), "10", "datagrams in fragments");
  assert.equal(udp("refused", VIRTUAL_ADDRESS, String(CLOSED_PORT)), "ECONNREFUSED", "a real server's ICMP error");
  assert.equal(udp("refused", VIRTUAL_ADDRESS, String(NOBODYS_PORT)), "ECONNREFUSED", "the director's own ICMP error");
  assert.equal(udp("leave", VIRTUAL_ADDRESS, String(ECHO_PORT)), "left");
  assert.equal(await web.download(rig), digest(web.content), "download");
  assert.equal(await web.upload(rig), digest(web.content), "upload");
  if (lacking("ping") === false) {
    for (const bytes of [56, LONG_BYTES]) {
      assert.match(rig.network.client.output("ping", ["-c", "3", "-i", "0.2", "-W", "10", "-s", String(bytes), VIRTUAL_ADDRESS]), / 0% packet loss/);
    }
  }
  assert.equal((await requests).succeeded, 300);
}

async function start(context: TestContext, method: Method): Promise<{ rig: Rig; web: WebServers }> {
  const web = new WebServers(context, TRANSFER_BYTES);
  const rig = await Rig.start(context, method, { rules: rules(method as Remote), startServers: (network) => startServers(network, web) });
  return { rig, web };
}

/** A capture with one byte of every TCP segment turned: tshark has to see it, or it sees nothing. */
function spoil(file: string): string {
  const bytes = readFileSync(file);
  for (let at = 24; at + 16 < bytes.length;) {
    const kept = bytes.readUInt32LE(at + 8);
    const frame = bytes.subarray(at + 16, at + 16 + kept);
    if (frame.readUInt16BE(12) === 0x0800 && frame[23] === 6) frame.writeUInt8((frame[38] ?? 0) ^ 1, 38);
    at += 16 + kept;
  }
  writeFileSync(`${file}.spoilt`, bytes);
  return `${file}.spoilt`;
}

function assertRight(method: Remote, ports: readonly Judgement[]): void {
  for (const { bad, good } of ports) {
    assert.deepEqual(bad, []);
    assert.ok((good["tcp"] ?? 0) > 1000 && (good["udp"] ?? 0) > 30 && (good["ip"] ?? 0) > 1000, JSON.stringify(good));
  }
  const [out] = ports;
  const kinds = out?.kinds ?? {};
  if (lacking("ping") === false) assert.ok((kinds["fragment"] ?? 0) >= 15, `few fragments: ${JSON.stringify(kinds)}`);
  assert.ok((kinds["icmp 3"] ?? 0) >= 2, `few ICMP errors: ${JSON.stringify(kinds)}`);
  if (lacking("ping") === false) assert.ok((kinds["icmp 8"] ?? 0) >= 3 && (kinds["icmp 0"] ?? 0) >= 3, JSON.stringify(kinds));
  assert.equal((kinds["tunnel"] ?? 0) > 1000, method === "tun");
}

inNamespaces(`checksums with ${WITH}`, import.meta.url, () => {
  for (const method of METHODS) {
    it(`${method}: every checksum at the director's ports is right`, { skip: cannotCapture }, async (context) => {
      const { rig, web } = await start(context as TestContext, method);
      withoutOffloads(rig.network);
      const folder = makeFolder(context as TestContext);
      const captures: Capture[] = [];
      for (const tap of rig.network.taps) captures.push(await Capture.start(rig.network.wire, tap.name, join(folder, `${tap.name}.pcap`)));
      await mixedLoad(rig, web);
      for (const capture of captures) await capture.stop();
      const judgements = captures.map((capture) => judge(capture.file));
      assertRight(method, judgements);
      context.diagnostic(`${method}: ${judgements.map((one) => JSON.stringify({ ...one.good, ...one.kinds })).join(" ")}`);
      const spoilt = judge(spoil(captures[0]?.file ?? "")).bad.length;
      assert.ok(spoilt > 1000, "tshark overlooks wrong checksums");
    });

    it(`${method}: with offloads, what arrives is what was sent`, async (context) => {
      const { rig, web } = await start(context as TestContext, method);
      await mixedLoad(rig, web);
    });
  }
});
