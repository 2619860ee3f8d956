// The part of a shell's language that scenarios speak, against a real shell; and what only a director has.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Replay } from "../../host/replay/replay.js";
import { readScenario } from "../../host/replay/scenario.js";
import { createRecordedDirector, PORTS } from "../oracle/recording.js";

interface Said { rc: number; stdout: string; stderr: string }

async function say(replay: Replay, cmd: string): Promise<Said> {
  const [input] = readScenario(JSON.stringify({ cmd }), PORTS);
  assert.ok(input);
  const [echo] = (await replay.play(input)) as Said[];
  assert.ok(echo);
  return echo;
}

/** Texts without a director in them: a real shell says what they come to. */
const PLAIN = [
  "echo one two; echo 'three  four' \"five\"; echo -n six",
  "true && echo yes || echo no; false && echo yes || echo no", "false || true; false", "true; false && echo never; echo after",
  "printf 'b\\na\\nb\\n' | sort", "printf 'b\\na\\nb\\n' | sort -u | wc -l | grep -c 2", "printf 'b\\nb\\na\\n' | uniq",
  "printf '%s\\n' one two three | tail -n +2", "printf '%s\\n' one two three | tail -1", "printf '%s\\n' one two three | head -n 2 | tail -n 1",
  "printf 'TCP 1\\nUDP 2\\n' | grep -E 'TCP|UDP' | grep -v UDP", "printf 'a.b\\naxb\\n' | grep -F a.b", "printf 'a+b\\naab\\n' | grep 'a+b'",
  "echo none | grep some", "echo some | grep -q some && echo found", "echo SOME | grep -ci some",
  "echo kept >/tmp/shell-kept; echo more >>/tmp/shell-kept; cat /tmp/shell-kept; wc -l </tmp/shell-kept",
  "echo lost >/dev/null; cat /dev/null; echo here # not this",
  "set -e; false || echo gone on; false; echo never", "echo one \\\n two\necho three", "printf 'x\\n' | diff - /dev/null >/dev/null || echo other",
];

for (const text of PLAIN) {
  test(`as a shell: ${text.replaceAll("\n", "\\n")}`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "lvs-shell-"));
    const real = spawnSync("sh", ["-c", text.replaceAll("/tmp/", `${folder}/`)], { encoding: "utf8" });
    rmSync(folder, { recursive: true });
    const { rc, stdout, stderr } = await say(await createRecordedDirector(), text);
    assert.deepEqual({ rc, stdout, stderr }, { rc: real.status, stdout: real.stdout, stderr: real.stderr });
  });
}

test("rules are saved into a file and restored from it", async () => {
  const replay = await createRecordedDirector();
  await say(replay, "ipvsadm -A -t 10.0.1.100:80 -s rr && ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.11 -m");
  await say(replay, "ipvsadm-save -n >/tmp/saved; ipvsadm -C");
  assert.equal((await say(replay, "ipvsadm -Sn | wc -l")).stdout, "0\n");
  const restored = await say(replay, "ipvsadm -R </tmp/saved; ipvsadm -Sn | diff - /tmp/saved && echo same");
  assert.deepEqual([restored.rc, restored.stdout], [0, "same\n"]);
});

test("settings are read and written below /proc/sys, and what is refused fails", async () => {
  const replay = await createRecordedDirector();
  assert.equal((await say(replay, "echo 3 >/proc/sys/net/ipv4/vs/conn_reuse_mode; cat /proc/sys/net/ipv4/vs/conn_reuse_mode")).stdout, "3\n");
  assert.equal((await say(replay, "echo x >/proc/sys/net/ipv4/vs/conn_reuse_mode")).rc, 1);
  assert.equal((await say(replay, "cat /proc/sys/net/ipv4/vs/nosuch")).stderr, "cat: can't open '/proc/sys/net/ipv4/vs/nosuch': No such file or directory\n");
});

test("errors go where a command sends them", async () => {
  const replay = await createRecordedDirector();
  assert.deepEqual(await say(replay, "ipvsadm -D -t 10.0.1.100:80 2>&1").then((one) => [one.rc, one.stdout, one.stderr]), [255, "No such service\n", ""]);
  assert.deepEqual(await say(replay, "ipvsadm -D -t 10.0.1.100:80 2>/dev/null; true").then((one) => [one.rc, one.stdout, one.stderr]), [0, "", ""]);
});

test("an address, a neighbour and a route that come later are the director's; marks can be flushed", async () => {
  const replay = await createRecordedDirector();
  const network = [
    "ip addr add 10.0.1.101/32 dev out",
    "ip neigh add 10.0.2.99 lladdr 02:00:00:00:02:63 dev in nud permanent",
    "ip route add 10.0.7.0/24 via 10.0.2.99 dev in",
  ].join("; ");
  assert.equal((await say(replay, network)).rc, 0);
  assert.equal((await say(replay, "ip addr add 10.0.1.102/32 dev nosuch")).rc, 2);
  const mark = "iptables-legacy -t mangle -A PREROUTING -d 10.0.1.101 -p tcp --dport 80 -j MARK --set-mark 7";
  await say(replay, `${mark}; ipvsadm -A -f 7 -s rr; ipvsadm -a -f 7 -r 10.0.7.1 -g`);
  const syn = "02000000010102000000" + "01c108004500002800010000400664390a0001320a000165" + "9c40005000000001000000005002ffff00000000";
  const went = async (): Promise<string[]> => {
    const [input] = readScenario(JSON.stringify({ if: "out", frame: syn }), PORTS);
    return input ? ((await replay.play(input)) as { if?: string; ev: string }[]).filter((one) => one.ev === "out").map((one) => one.if ?? "") : [];
  };
  assert.deepEqual(await went(), ["in"]);
  await say(replay, "iptables-legacy -t mangle -F");
  await say(replay, "ipvsadm -C");
  assert.deepEqual((await say(replay, "ipvsadm -Sn")).stdout, "");
});

test("what needs a real shell is refused before anything is done", () => {
  for (const cmd of [
    "echo $(id)", "echo `id`", "for f in a; do echo x; done", "(ipvsadm -Ln)", "ipvsadm -Ln &", "ipvsadm -R <<'E'\nE",
    "| ipvsadm -R", "ipvsadm -Ln |", "cat /etc/passwd", "ipvsadm -Ln >/etc/passwd",
  ]) {
    assert.throws(() => readScenario(JSON.stringify({ cmd }), PORTS), /^Error: line 1: |ScenarioError/, cmd);
  }
  assert.equal(execFileSync("sh", ["-c", "echo there is a shell"], { encoding: "utf8" }), "there is a shell\n");
});
