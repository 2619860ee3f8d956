// What an administrator says, mutated: scenarios, requests on the control socket, configurations, captures. Each is answered or
// refused in words; nothing throws anything else, and the director works afterwards.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readConfig } from "../../host/config/config.js";
import { ConfigError } from "../../host/config/locator.js";
import { wantedOf } from "../../host/daemon/reload.js";
import { readRequest } from "../../host/daemon/request.js";
import { readCapture, writeCapture } from "../../host/io/pcap.js";
import { loadEngine } from "../../host/load.js";
import { readScenario, ScenarioError } from "../../host/replay/scenario.js";
import { createRecordedDirector, PORTS, readRecording } from "../oracle/recording.js";
import { Random } from "./random.js";

const SCENARIO_LINES = 4000;
const REQUESTS = 20000;
const CAPTURES = 3000;
const CONFIGURATIONS = 600;

/** Names that objects have without anybody's doing. */
const INHERITED = ["constructor", "toString", "__proto__", "hasOwnProperty", "valueOf"];
const PROGRAMS = [
  "ipvsadm", "cat", "sysctl", "echo", "printf", "grep", "head", "tail", "uniq", "sort", "wc", "diff",
  "ip", "iptables", "ip6tables", "true", "false", "modprobe", "set",
];
const WORDS = [
  "-A", "-a", "-t", "-u", "-f", "-r", "-m", "-i", "-g", "-s", "rr", "mh", "-p", "-w", "-1", "99999999999", "10.0.1.100:80", "[fd00::1]:80", "10.0.2.11",
  "-Ln", "-Lnc", "-C", "-R", "-Sn", "--set", "1", "2", "--start-daemon", "master", "--mcast-interface", "out",
  "/proc/net/ip_vs", "/proc/net/ip_vs_nosuch", "/tmp/a", "net.ipv4.vs.drop_entry=1", "net.ipv4.vs.nosuch",
  "%s", "%d", "-v", "(", "[", "*", "-n", "+3", "-l", "-", "link", "set", "mtu", "70", "addr", "add", "10.0.1.9/99",
  "fd00::5/129", "dev", "neigh", "lladdr", "02:00:00:00:00:09", "route", "via",
  "mangle", "-j", "MARK", "--set-mark", "0x7", "PREROUTING", "-d", "300.1.1.1", "ip_vs", "-e",
];
const JOINTS = ["; ", " && ", " || ", " | ", " | ", " >/tmp/a; ", " </tmp/a; ", "\n"];
const ODD_MARKS = ["2>&1", "2>/dev/null", ">>", "<", "#", "\\", "'", "\"", "$", "`", "(", "}", "&"];

/** Programs with words that are right for one of them, or commands of recordings with a few words changed. */
function commandOf(random: Random, commands: readonly string[]): string {
  const word = (): string => random.pick(random.chance(8) ? INHERITED : WORDS);
  if (random.chance(30)) {
    const words = random.pick(commands).split(" ");
    for (let count = 1 + random.below(3); count > 0; count--) {
      words[random.below(words.length)] = random.pick([...WORDS, ...PROGRAMS, ...ODD_MARKS, ...INHERITED]);
    }
    return words.join(" ");
  }
  const program = (): string => [random.pick(random.chance(20) ? INHERITED : PROGRAMS), ...Array.from({ length: random.below(4) }, word)].join(" ");
  const text = Array.from({ length: random.below(3) }, () => program() + random.pick(JOINTS)).join("") + program();
  return random.chance(10) ? `${text} ${random.pick(ODD_MARKS)} ${word()}` : text;
}

test(`${SCENARIO_LINES} scenario lines of words that make no sense: done, or refused by line and reason`, async () => {
  const random = new Random(11);
  const replay = await createRecordedDirector();
  const events = ["persistence", "sysctls", "tun_gue", "limits"].flatMap((name) => readRecording(name));
  const commands = events.flatMap((event) => (event.ev === "cmd" && event.cmd !== undefined ? [event.cmd] : []));
  let done = 0;
  let refused = 0;
  for (let count = 0; count < SCENARIO_LINES; count++) {
    const text = JSON.stringify({ cmd: commandOf(random, commands) });
    try {
      for (const input of readScenario(text, PORTS)) {
        if (input.kind === "reload") continue;
        await replay.play(input);
        done++;
      }
    } catch (error) {
      assert.ok(error instanceof ScenarioError, `${text}: ${error instanceof Error ? error.stack : String(error)}`);
      refused++;
    }
  }
  assert.ok(done > SCENARIO_LINES / 10 && refused > SCENARIO_LINES / 10, `${done} done, ${refused} refused`);
});

const KEY = { protocol: "tcp", family: 4, address: "10.0.1.100", port: 80, fwmark: 0 };
const SERVICE = {
  ...KEY, scheduler: "rr", schedulerFlags: 0, persistent: false, timeoutSeconds: 300, netmask: "255.255.255.255",
  persistenceEngine: "", onePacket: false,
};
const SERVER_KEY = { family: 4, address: "10.0.2.11", port: 80 };
const SERVER = { ...SERVER_KEY, forward: "masq", weight: 1, upperThreshold: 0, lowerThreshold: 0, tunnel: "ipip", tunnelPort: 0, tunnelFlags: 0 };
const RULE = { family: 4, interface: "out", source: "", destination: "10.0.1.100/32", protocol: "tcp", portLow: 80, portHigh: 90, mark: 7 };
const DAEMON = { role: "master", interface: "out", syncId: 1, messageBytes: 0, group: "224.0.0.81", udpPort: 8848, timeToLive: 1 };
const GOOD: readonly Record<string, unknown>[] = [
  ...["service-add", "service-edit"].map((one) => ({ do: one, service: SERVICE })), { do: "service-delete", service: KEY },
  ...["server-add", "server-edit"].map((one) => ({ do: one, service: KEY, server: SERVER })), { do: "server-delete", service: KEY, server: SERVER_KEY },
  { do: "zero" }, { do: "zero", service: KEY }, { do: "timeouts-set", timeouts: { tcp: 1, tcpfin: 2, udp: 3 } },
  { do: "sysctl-set", name: "drop_entry", value: 1 }, { do: "sysctl-set", name: "sync_threshold", value: 3, period: 50 },
  { do: "daemon-start", daemon: DAEMON }, { do: "daemon-stop", role: "master" }, { do: "mark-add", rule: RULE },
  ...["flush", "timeouts", "table", "connections", "daemons", "status", "sysctls", "default-forward"].map((one) => ({ do: one })),
];
const ODD: readonly unknown[] = [
  null, true, -1, 0, 1, 3, 65535, 65536, 2147483647, 4294967295, 1e308, Number.NaN, "", "x", "0",
  "::", "fd00::1", "fd00::1/200", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.1/x", "1.2.3", [], {},
  "sip", "sctp", "fwmark", "mh", "local", "tunnel", "gue", "in", "lo", "a".repeat(100), ...INHERITED,
];

/** A copy in which values, however deep, are others, or are missing. */
function mutate(value: unknown, random: Random, percent: number): unknown {
  if (random.chance(percent)) return random.pick(ODD);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((one) => mutate(one, random, percent));
  return Object.fromEntries(Object.entries(value).filter(() => !random.chance(percent / 4)).map(([name, one]) => [name, mutate(one, random, percent)]));
}

test(`${REQUESTS} mutated requests: answered, or refused with a reason`, async () => {
  const random = new Random(12);
  const { director, engine } = await createRecordedDirector();
  const answers = { ok: 0, refused: 0, unread: 0 };
  for (let count = 0; count < REQUESTS; count++) {
    const body: unknown = JSON.parse(JSON.stringify(mutate(random.pick(GOOD), random, 8)) ?? "null");
    const read = readRequest(body);
    if ("problem" in read) {
      answers.unread++;
      continue;
    }
    const reply = await director.request(read.request).catch((error: unknown) =>
      assert.fail(`${JSON.stringify(body)}: ${error instanceof Error ? error.stack : String(error)}`));
    answers[reply.ok ? "ok" : "refused"]++;
    if (count % 1000 === 0) engine.tick(count);
  }
  assert.ok(Math.min(...Object.values(answers)) > REQUESTS / 50, JSON.stringify(answers));
  assert.ok((await director.request({ do: "table" })).ok);
});

const CONFIGURATION = {
  "table-bits": 8, "default-forward": "dr", "driver": "tap", "workers": 2, "log-level": "info", "transparent": ["10.8.0.0/16"], "ftp-ports": [21, 2121],
  "ports": [
    { "name": "out", "device": "lvs-out", "mac": "02:00:00:00:01:01", "mtu": 1500, "addresses": ["10.0.1.1/24", "fd00:1::1/64"] },
    { "name": "in", "attach": "xdp", "mode": "native", "queues": 2, "gateway": true, "addresses": ["10.0.2.1/24"] },
    { "name": "own", "kind": "host", "peer-mac": "02:00:00:00:03:02", "namespace": "/run/netns/none" },
  ],
  "routes": [{ "to": "default", "via": "10.0.1.254", "port": "out" }, { "to": "10.9.0.0/16", "via": "10.0.2.9", "port": "in" }],
  "neighbors": [{ "address": "10.0.1.9", "mac": "02:00:00:00:01:09", "port": "out" }],
  "marks": [
    { "mark": 1, "port": "out", "source": "10.0.0.0/8", "destination": "10.0.1.100", "protocol": "tcp", "ports": "80-90" },
    "-A PREROUTING -d 10.0.1.5 -j MARK --set-mark 2",
  ],
  "sysctl": { "drop_entry": 1, "sync_threshold": "3 50" },
  "sync": { "master": { "port": "out", "id": 1, "group": "224.0.0.81", "udp-port": 8848, "ttl": 1, "max-bytes": 1400 }, "backup": { "port": "in" } },
  "rules": ["-A -t 10.0.1.1:80 -s rr", "-a -t 10.0.1.1:80 -r 10.0.2.11:80 -m"],
};

test(`${CONFIGURATIONS} mutated configurations: taken, or refused by line and field`, async () => {
  const random = new Random(14);
  const module = await loadEngine();
  const folder = mkdtempSync(join(tmpdir(), "lvs-fuzz-"));
  const file = join(folder, "director.yaml");
  const answers = { good: 0, refused: 0 };
  try {
    for (let count = 0; count < CONFIGURATIONS; count++) {
      const text = JSON.stringify(mutate(CONFIGURATION, random, 1)) ?? "";
      writeFileSync(file, text);
      try {
        await wantedOf(module, readConfig(file));
        answers.good++;
      } catch (error) {
        assert.ok(error instanceof ConfigError, `${text}: ${error instanceof Error ? error.stack : String(error)}`);
        for (const problem of error.problems) assert.doesNotMatch(problem, /Invalid|Too |expected/, problem);
        answers.refused++;
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  assert.ok(Math.min(...Object.values(answers)) > CONFIGURATIONS / 20, JSON.stringify(answers));
});

test(`${CAPTURES} mutated captures: read, or refused with a reason`, () => {
  const random = new Random(13);
  const good = Buffer.from(writeCapture([1, 2, 3].map((seconds) => ({ seconds, bytes: random.bytes(60 + random.below(60)) }))));
  const answers = { read: 0, refused: 0 };
  for (let count = 0; count < CAPTURES; count++) {
    let bytes: Buffer = Buffer.from(good);
    for (let changes = random.below(5); changes > 0; changes--) bytes[random.below(random.chance(50) ? 40 : bytes.length)] = random.below(256);
    if (random.chance(30)) bytes = bytes.subarray(0, random.below(bytes.length + 1));
    try {
      assert.ok(readCapture(bytes).every((frame) => frame.bytes.length <= bytes.length && Number.isFinite(frame.seconds)));
      answers.read++;
    } catch (error) {
      assert.ok(
        error instanceof RangeError && error.constructor === RangeError && !/offset|buffer|invalid .*length/i.test(error.message),
        String((error as Error).stack),
      );
      answers.refused++;
    }
  }
  assert.ok(answers.read > CAPTURES / 20 && answers.refused > CAPTURES / 20, JSON.stringify(answers));
});
