// `lvsd replay` as an operator runs it: scenarios and captures, and what is not understood.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readCapture, writeCapture } from "../../host/io/pcap.js";
import { buildTcp, describe as describeFrame } from "../../host/lab/frames.js";

const root = new URL("../../../", import.meta.url);
const program = fileURLToPath(new URL("build/host/daemon/main.js", root));
const config = fileURLToPath(new URL("tests/oracle/director.yaml", root));
const SYN = buildTcp({
  macTo: "02:00:00:00:01:01", macFrom: "02:00:00:00:01:c1", source: "10.0.1.50", sourcePort: 40000, target: "10.0.1.100", targetPort: 80, flags: 2,
});
const hex = Buffer.from(SYN).toString("hex");

function replay(words: string[], input = ""): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [program, "replay", "--config", config, ...words], { input, encoding: "utf8" });
}

const lines = (...events: object[]): string => events.map((event) => JSON.stringify(event)).join("\n");

test("inputs are echoed in order, frames follow what caused them; bare lines work too", () => {
  const scenario = lines(
    { cmd: "set -e; ipvsadm -A -t 10.0.1.100:80 -s rr\nipvsadm -a -t 10.0.1.100:80 -r 10.0.2.11:8080 -m" },
    { ev: "noise", if: "out", hex: "00" },
    { if: "out", frame: hex },
    { ev: "advance", s: 30 },
    { ev: "cmd", cmd: "ipvsadm -Lnc" },
    { ev: "advance", s: 31 },
    { ev: "cmd", cmd: "ipvsadm -Lnc" },
  );
  const done = replay(["-"], scenario);
  assert.equal(done.stderr, "");
  assert.equal(done.status, 0);
  const events = done.stdout.trim().split("\n").map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(events.map((event) => event["ev"]), ["cmd", "in", "out", "advance", "cmd", "advance", "cmd"]);
  assert.equal(events[0]?.["rc"], 0);
  assert.equal(describeFrame(Buffer.from(String(events[2]?.["hex"]), "hex")), "10.0.1.50:40000 > 10.0.2.11:8080");
  assert.match(String(events[4]?.["stdout"]), /TCP 00:30 {2}SYN_RECV {4}10\.0\.1\.50:40000/);
  assert.doesNotMatch(String(events[6]?.["stdout"]), /SYN_RECV/);
});

test("the module loaded anew forgets services and connections, not the marks of iptables", () => {
  const unload = "for i in 1 2 3; do for m in $(sed -n 's/^\\(ip_vs_[a-z_]*\\) .*/\\1/p' /proc/modules) ip_vs; do rmmod $m 2>/dev/null; done; done";
  const done = replay(["-"], lines(
    { cmd: "iptables-legacy -t mangle -A PREROUTING -i out -d 10.0.1.100 -p tcp --dport 80 -j MARK --set-mark 7" },
    { cmd: "ipvsadm -A -t 10.0.1.100:80 -s rr; ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.11 -m" }, { if: "out", frame: hex },
    { cmd: `ipvsadm -C; ${unload}; modprobe ip_vs` },
    { cmd: "cat /proc/net/ip_vs_conn" }, { cmd: "ipvsadm -A -f 7 -s rr; ipvsadm -a -f 7 -r 10.0.2.12 -g" }, { if: "out", frame: hex },
    { cmd: "echo '-A -t 10.0.1.100:90 -s rr' | ipvsadm -R" }, { cmd: "head -4 /proc/net/ip_vs" }, { cmd: "ipvsadm -Sn | grep -c 10.0.1.100" },
  ));
  assert.equal(done.stderr, "");
  const told = done.stdout.trim().split("\n").map((line) => JSON.parse(line) as Record<string, string>);
  assert.deepEqual(told.map((event) => event["ev"]), ["cmd", "cmd", "in", "out", "cmd", "cmd", "cmd", "in", "out", "cmd", "cmd", "cmd"]);
  assert.equal(told[5]?.["stdout"], "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n");
  assert.equal(Buffer.from(told[8]?.["hex"] ?? "", "hex")[5], 12);
  assert.match(told[10]?.["stdout"] ?? "", /\nTCP {2}0A000164:005A rr {2}\n$/);
  assert.equal(told[11]?.["stdout"], "1\n");
});

test("timers go off as those of a kernel whose ticks the start tells, also after its module was loaded anew", () => {
  const begin = [{ cmd: "ipvsadm -A -t 10.0.1.100:80 -s rr; ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.11:8080 -m" }, { if: "out", frame: hex }];
  // Its minute is over at tick 6100; the grain of 512 ticks ends at 6144, and after the second beginning at 12288.
  const listings = (start: object): string[] => {
    const done = replay(["-"], lines(
      start,
      ...begin, { ev: "advance", s: 60.2 }, { cmd: "ipvsadm -Lnc" }, { ev: "advance", s: 0.3 }, { cmd: "ipvsadm -Lnc" },
      { cmd: "rmmod ip_vs; modprobe ip_vs" },
      ...begin, { ev: "advance", s: 60.3 }, { cmd: "ipvsadm -Lnc" }, { ev: "advance", s: 1.2 }, { cmd: "ipvsadm -Lnc" },
    ));
    assert.equal(done.stderr, "");
    const told = done.stdout.trim().split("\n").map((line) => JSON.parse(line) as Record<string, string>);
    return told.filter((event) => event["cmd"] === "ipvsadm -Lnc").map((event) => /(\d+:\d+) +SYN_RECV/.exec(event["stdout"] ?? "")?.[1] ?? "gone");
  };
  assert.deepEqual(listings({ ev: "start", gt: 0, ticks: 100 }), ["00:00", "gone", "00:00", "gone"]);
  assert.deepEqual(listings({ ev: "start", gt: 0 }), ["gone", "gone", "gone", "gone"]);
});

test("the same scenario gives the same bytes", () => {
  const scenario = lines({ cmd: "ipvsadm -A -t 10.0.1.100:80 -s rr" }, { if: "out", frame: hex }, { ev: "advance", s: 5 }, { if: "out", frame: hex });
  assert.equal(replay(["-"], scenario).stdout, replay(["-"], scenario).stdout);
});

const BAD: [string, string, RegExp][] = [
  ["no JSON", "{", /^lvsd: line 2: this is not JSON$/m],
  ["a shell's command", '{"cmd":"ipvsadm -Ln; reboot"}', /^lvsd: line 2: only ipvsadm/m],
  ["a redirection", '{"cmd":"ipvsadm -Ln >/etc/passwd"}', /line 2: only ipvsadm/],
  ["an unknown event", '{"ev":"dance"}', /line 2: there is no event "dance"/],
  ["an unknown port", '{"ev":"in","if":"eth0","hex":"00"}', /line 2: if is none of the ports out, in/],
  ["odd hexadecimals", '{"ev":"in","if":"out","hex":"abc"}', /line 2: the frame is not a text of hexadecimal bytes/],
  ["a monster", `{"ev":"in","if":"out","hex":"${"00".repeat(70000)}"}`, /line 2: the frame is longer than 65549 bytes/],
  ["time going backwards", '{"ev":"advance","s":-1}', /line 2: s is not a number of seconds/],
  ["a name that every object has", '{"cmd":"echo x | constructor"}', /line 2: only ipvsadm/],
  ["an open quotation mark", '{"cmd":"ipvsadm -A -t \'10.0.1.100:80"}', /line 2: a quotation mark is not closed/],
];

for (const [what, line, expected] of BAD) {
  test(`${what}: line and reason, exit 2, nothing done`, () => {
    const done = replay(["-"], `{"cmd":"ipvsadm -Ln"}\n${line}`);
    assert.equal(done.status, 2);
    assert.equal(done.stdout, "");
    assert.match(done.stderr, expected);
    assert.doesNotMatch(done.stderr, /\bat .*\.js:/);
  });
}

test("a command that fails says so in its echo, and set -e stops the rest of its line", () => {
  const done = replay(["-"], lines({ cmd: "set -e; ipvsadm -D -t 10.0.1.100:80; ipvsadm -A -t 10.0.1.100:80" }, { cmd: "ipvsadm -Sn" }));
  const [failed, saved] = done.stdout.trim().split("\n").map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual([failed?.["rc"], failed?.["stderr"]], [255, "No such service\n"]);
  assert.equal(saved?.["stdout"], "");
});

test("captures: frames of a port's file in, what comes out of the other into a file, with its time", () => {
  const folder = mkdtempSync(join(tmpdir(), "lvs-pcap-"));
  try {
    const rules = join(folder, "director.yaml");
    writeFileSync(rules, `${readFileSync(config, "utf8")}rules:\n  - -A -t 10.0.1.100:80 -s rr\n  - -a -t 10.0.1.100:80 -r 10.0.2.11:8080 -m\n`);
    writeFileSync(join(folder, "in.pcap"), writeCapture([{ seconds: 1000.5, bytes: SYN }, { seconds: 1001, bytes: SYN }]));
    const done = spawnSync(process.execPath, [program, "replay", "--config", rules, "--pcap", `out=${join(folder, "in.pcap")}`,
      "--write", `in=${join(folder, "out.pcap")}`], { encoding: "utf8" });
    assert.equal(done.stderr, "");
    assert.equal(done.stdout, "2 frames in, out: 0 from out, 2 from in\n");
    const sent = readCapture(readFileSync(join(folder, "out.pcap")));
    assert.deepEqual(sent.map((one) => one.seconds), [1000.5, 1001]);
    assert.equal(describeFrame(sent[0]?.bytes ?? new Uint8Array(54)), "10.0.1.50:40000 > 10.0.2.11:8080");
    const strange = replay(["--pcap", `out=${join(folder, "out.pcap")}`]);
    assert.equal(strange.stdout, "2 frames in, out: 0 from out, 0 from in; dropped: 2 other-host\n", "frames for another port's address");
    writeFileSync(join(folder, "cut.pcap"), writeCapture([{ seconds: 1, bytes: SYN }]).slice(0, 60));
    const cut = replay(["--pcap", `out=${join(folder, "cut.pcap")}`]);
    assert.equal(cut.status, 2);
    assert.match(cut.stderr, /cut\.pcap: frame 1 is cut off/);
    const refused: [string, Uint8Array, RegExp][] = [
      ["monster.pcap", writeCapture([{ seconds: 1, bytes: SYN }, { seconds: 2, bytes: new Uint8Array(65550) }]),
        /monster\.pcap: frame 2 is longer than 65549 bytes/],
      ["years.pcap", writeCapture([{ seconds: 1, bytes: SYN }, { seconds: 4e9, bytes: SYN }]),
        /first and last frame are 3999999999 seconds apart: at most 4000000/],
      ["text.pcap", Buffer.from("this is no capture at all"), /text\.pcap: it is no pcap capture/],
    ];
    for (const [name, bytes, expected] of refused) {
      writeFileSync(join(folder, name), bytes);
      const done = replay(["--pcap", `out=${join(folder, name)}`]);
      assert.equal(done.status, 2);
      assert.match(done.stderr, expected);
    }
    assert.match(replay(["--pcap", `out=${join(folder, "in.pcap")}`, "--write", `in=${folder}`]).stderr, /cannot be written/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
