// lvsd as a program: start, signals, its socket, and what happens when things go wrong.

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { it, type TestContext } from "node:test";
import fc from "fast-check";
import { Namespace } from "../../host/lab/namespace.js";
import { ended } from "../../host/lab/process.js";
import { inNamespaces } from "./inside.js";
import { Lvsd, LVSD, ask, writeConfig } from "./lvsd.js";
import { makeFolder, runLvsadm, until } from "./rig.js";

const SERVICE = "-t 10.9.0.100:80";
const RULES = [`-A ${SERVICE} -s rr`, `-a ${SERVICE} -r 10.9.0.11:80 -m`];
const FUZZ_RUNS = 300;
/** A start takes about as long. */
const TERM_LATEST_MS = 800;
const TERM_STEP_MS = 80;
/** Longer than what a port says a second time after it came up. */
const SECOND_MS = 2500;

interface Place { namespace: Namespace; folder: string; config: string; socket: string }

async function makePlace(context: TestContext): Promise<Place> {
  const namespace = await Namespace.create(`lvs-${process.pid}-daemon`);
  context.after(() => namespace.close());
  const folder = makeFolder(context);
  return { namespace, folder, config: join(folder, "lvsd.yaml"), socket: join(folder, "lvsd.sock") };
}

async function start(context: TestContext, place: Place, ...more: string[]): Promise<Lvsd> {
  const lvsd = await Lvsd.start(place.namespace, ["--config", place.config, "--socket", place.socket, ...more]);
  context.after(() => { lvsd.child.kill("SIGKILL"); return ended(lvsd.child); });
  return lvsd;
}

/** A director with one service, ready. */
async function ready(context: TestContext): Promise<{ place: Place; lvsd: Lvsd }> {
  const place = await makePlace(context);
  writeConfig(place.config, "one", RULES);
  const lvsd = await start(context, place);
  assert.ok(lvsd.isReady, lvsd.log);
  return { place, lvsd };
}

function tests(): void {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`starts, and ${signal} ends it with status 0: no socket, no interface is left`, async (context) => {
      const { place, lvsd } = await ready(context as TestContext);
      assert.equal(statSync(place.socket).mode & 0o777, 0o600);
      assert.match(place.namespace.show(["-d", "link", "show", "one"]), /tun type tap/);
      assert.equal(lvsd.log, "");
      assert.equal(await lvsd.end(signal), 0);
      assert.equal(existsSync(place.socket), false);
      assert.notEqual(place.namespace.tryIp(["link show dev one"]), "");
    });
  }

  it("stops while an administrator's connection is open, and while many signals come", async (context) => {
    const { place, lvsd } = await ready(context as TestContext);
    const idle = connect(place.socket);
    idle.on("error", () => undefined);
    await new Promise((resolve) => idle.once("connect", resolve));
    for (let count = 0; count < 5; count++) lvsd.child.kill("SIGHUP");
    lvsd.child.kill("SIGTERM");
    assert.equal(await lvsd.end("SIGTERM"), 0);
    idle.destroy();
  });

  it("TERM while it starts ends it at once, wherever it is, and the next one finds everything free", async (context) => {
    const place = await makePlace(context as TestContext);
    writeConfig(place.config, "one", RULES);
    for (let tryMs = 0; tryMs < TERM_LATEST_MS; tryMs += TERM_STEP_MS) {
      const words = ["--pdeathsig", "KILL", process.execPath, LVSD, "--config", place.config, "--socket", place.socket];
      const child = place.namespace.spawn("setpriv", words, "ignore");
      await new Promise((resolve) => setTimeout(resolve, tryMs));
      child.kill("SIGTERM");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      // Before the program itself has begun, the signal ends what shall become it.
      assert.ok(child.exitCode === 0 || child.signalCode === "SIGTERM", `after ${tryMs} ms: ${child.exitCode} ${child.signalCode}`);
      assert.deepEqual([existsSync(place.socket), place.namespace.tryIp(["link show dev one"]) === ""], [false, false], `after ${tryMs} ms`);
    }
    assert.ok((await start(context as TestContext, place)).isReady);
  });

  it("a second director on the same socket is refused, and the first goes on", async (context) => {
    const { place } = await ready(context as TestContext);
    const other = join(place.folder, "other.yaml");
    writeConfig(other, "two", []);
    const second = await start(context as TestContext, { ...place, config: other });
    assert.equal(second.child.exitCode, 1);
    assert.match(second.log, /^lvsd: another director answers at .*lvsd\.sock: stop it first, or choose another control-socket\n$/);
    assert.equal((await runLvsadm(place.socket, "-Ln")).status, 0);
    assert.notEqual(place.namespace.tryIp(["link show dev two"]), "");
  });

  it("a device that another director has open is refused by name", async (context) => {
    const { place } = await ready(context as TestContext);
    const second = await start(context as TestContext, { ...place, socket: join(place.folder, "second.sock") });
    assert.equal(second.child.exitCode, 1);
    assert.match(second.log, /^lvsd: .*one.*EBUSY.*another program has it open\n$/);
    assert.equal(existsSync(join(place.folder, "second.sock")), false);
  });

  it("the socket of a director that was killed is taken over", async (context) => {
    const { place, lvsd } = await ready(context as TestContext);
    lvsd.child.kill("SIGKILL");
    await ended(lvsd.child);
    assert.ok(existsSync(place.socket));
    const gone = await runLvsadm(place.socket, "-Ln");
    assert.deepEqual([gone.status, gone.stdout], [1, ""]);
    assert.match(gone.stderr, /^[^\n]*lvsd has ended[^\n]*\n$/);
    const next = await start(context as TestContext, place);
    assert.ok(next.isReady, next.log);
    assert.equal((await runLvsadm(place.socket, "-Ln")).status, 0);
  });

  it("a file at the socket's place that is no socket is not taken away", async (context) => {
    const place = await makePlace(context as TestContext);
    writeConfig(place.config, "one", RULES);
    writeFileSync(place.socket, "somebody's letter");
    const lvsd = await start(context as TestContext, place);
    assert.equal(lvsd.child.exitCode, 1);
    assert.match(lvsd.log, /^lvsd: .*lvsd\.sock.*not a socket[^\n]*\n$/);
    assert.ok(existsSync(place.socket));
  });

  it("lvsadm without a director: status 1, one line, no stack", async (context) => {
    const place = await makePlace(context as TestContext);
    for (const line of ["-Ln", `-A ${SERVICE} -s rr`, "status", `drain 10.9.0.100:80 10.9.0.11:80`]) {
      const done = await runLvsadm(place.socket, line);
      assert.deepEqual([done.status, done.stdout], [1, ""], line);
      assert.match(done.stderr, /^[^\n]*no director is running: [^\n]*\n$/);
    }
  });

  it("mistakes in the configuration: status 2, each with its line, nothing started", async (context) => {
    const place = await makePlace(context as TestContext);
    writeConfig(place.config, "one", [...RULES, "-a -t 10.9.0.100:81 -r 10.9.0.11 -m"], "sysctl: { no_such: 1 }\n");
    const lvsd = await start(context as TestContext, place);
    assert.equal(lvsd.child.exitCode, 2);
    assert.match(lvsd.log, /^lvsd: .*lvsd\.yaml:3: sysctl\.no_such: [^\n]*\n$/);
    assert.equal(existsSync(place.socket), false);
  });

  it("a device that is down is told of, and when it comes up the link is told of the port's addresses", async (context) => {
    const { place } = await ready(context as TestContext);
    const heard = (): number => {
      const links = JSON.parse(place.namespace.output("ip", ["-s", "-j", "link", "show", "one"])) as [{ stats64: { rx: { packets: number } } }];
      return links[0].stats64.rx.packets;
    };
    const status = async (): Promise<string> => (await runLvsadm(place.socket, "status")).stdout;
    assert.match(await status(), /one is down, and no frame passes: `ip link set dev one up`/);
    assert.doesNotMatch(await status(), /refused/);
    for (const _ of ["the first time", "and again"]) {
      const before = heard();
      place.namespace.ip(["link set dev one up"]);
      assert.ok(await until(() => heard() >= before + 2), "10.9.0.1 and 10.9.0.100");
      assert.doesNotMatch(await status(), /down/);
      place.namespace.ip(["link set dev one down"]);
      await new Promise((resolve) => setTimeout(resolve, SECOND_MS));
      assert.match(await status(), /one is down/);
    }
  });

  it("an address that the kernel has too is told, with what to do", async (context) => {
    const place = await makePlace(context as TestContext);
    place.namespace.ip(["link set lo up", "addr add 10.9.0.100/32 dev lo"]);
    writeConfig(place.config, "one", RULES);
    const lvsd = await start(context as TestContext, place);
    assert.ok(lvsd.isReady, lvsd.log);
    assert.match(
      lvsd.log,
      /"msg":"port one: the kernel has 10\.9\.0\.100 too, on lo, and answers for it: take it away there \(ip addr del 10\.9\.0\.100\/32 dev lo\)"/,
    );
  });

  it("HUP applies the difference, and a mistake in the file changes nothing", async (context) => {
    const { place, lvsd } = await ready(context as TestContext);
    const list = async (): Promise<string> => (await runLvsadm(place.socket, "-Sn")).stdout;
    const before = await list();
    assert.match(await lvsd.reload(), /nothing has changed/);
    writeConfig(place.config, "one", [...RULES, `-a ${SERVICE} -r 10.9.0.12:80 -m -w 7`]);
    assert.match(await lvsd.reload(), /"changes":\["server-add"\]/);
    const after = await list();
    assert.equal(after, `${before}-a -t 10.9.0.100:80 -r 10.9.0.12:80 -m -w 7\n`);
    for (const mistake of ["-A -t 10.9.0.100:82 -s nosuch", "-D -t 10.9.0.100:80", "-a -t 10.9.0.100:83 -r 10.9.0.11:80 -m"]) {
      writeConfig(place.config, "one", [RULES[0] ?? "", mistake]);
      assert.match(await lvsd.reload(), /lvsd\.yaml:5[^\n]*not reloaded/);
      assert.equal(await list(), after);
    }
    writeFileSync(place.config, "ports: [");
    assert.match(await lvsd.reload(), /not reloaded/);
    writeConfig(place.config, "another", RULES);
    assert.match(await lvsd.reload(), /needs a restart: ports/);
    assert.equal(await list(), after);
    writeConfig(place.config, "one", RULES);
    assert.match(await lvsd.reload(), /"changes":\["server-delete"\]/);
    assert.equal(await list(), before);
  });

  it("HUP takes over every field that needs no restart, and gives back what the file no longer says", async (context) => {
    const { place, lvsd } = await ready(context as TestContext);
    const say = async (line: string): Promise<string> => {
      const { status, stdout, stderr } = await runLvsadm(place.socket, line);
      assert.deepEqual([status, stderr], [0, ""], line);
      return stdout;
    };
    const more = "default-forward: dr\nsysctl: { expire_nodest_conn: 1 }\nsync: { master: { port: one, id: 3 } }\n";
    writeConfig(place.config, "one", RULES, more, ["10.9.0.101/32"]);
    assert.match(await lvsd.reload(), /"address 10\.9\.0\.101\/32 added","sysctl expire_nodest_conn = 1","sync master started"/);
    assert.match(await say("status"), /10\.9\.0\.101\/32/);
    assert.equal((await ask(place.socket, '{"do":"default-forward"}')).body, '{"ok":true,"value":"route"}');
    // Stopped by hand meanwhile, and then started by hand: nobody is in anybody's way.
    await say("--stop-daemon master");
    // A setting that no file ever named is given back, too.
    await say("sysctl -w pmtu_disc=0");
    writeConfig(place.config, "one", RULES);
    assert.match(await lvsd.reload(), /"changes":\["address 10\.9\.0\.101\/32 removed","sysctl expire_nodest_conn = 0","sysctl pmtu_disc = 1"\]/);
    assert.equal(await say("sysctl -n expire_nodest_conn pmtu_disc"), "0\n1\n");
    assert.doesNotMatch(await say("status"), /10\.9\.0\.101/);
    await say("--start-daemon master --mcast-interface one --syncid 9");
    writeConfig(place.config, "one", RULES, more);
    assert.match(await lvsd.reload(), /"sync master started"/);
    assert.match(await say("-L --daemon"), /^master sync daemon \(mcast=one, syncid=3/);
  });

  it("malformed requests are answered 400, and the director lives", async (context) => {
    const { place, lvsd } = await ready(context as TestContext);
    const rows = (await runLvsadm(place.socket, "-Sn")).stdout;
    const isWrong = (status: number): boolean => status >= 400 && status < 500;
    for (const body of [
      "", "{", "null", "[]", "7", "{}", '{"do":"table","do":"nothing"}', '{"do":"__proto__"}', '{"do":["flush"]}',
      `{"do":"zero","service":${"[".repeat(5000)}`,
    ]) {
      assert.equal((await ask(place.socket, body)).status, 400, body.slice(0, 60));
    }
    assert.equal((await ask(place.socket, JSON.stringify({ do: "table", pad: "x".repeat(70_000) }))).status, 413);
    assert.ok(isWrong((await ask(place.socket, "{}", { path: "/" })).status));
    assert.ok(isWrong((await ask(place.socket, "do=flush", { type: "application/x-www-form-urlencoded" })).status));
    await fc.assert(fc.asyncProperty(wild, async (body) => {
      const { status, body: text } = await ask(place.socket, body);
      assert.equal(status, 400);
      assert.equal((JSON.parse(text) as { ok: boolean }).ok, false);
    }), { numRuns: FUZZ_RUNS });
    assert.equal((await runLvsadm(place.socket, "-Sn")).stdout, rows);
    assert.deepEqual([lvsd.hasEnded, lvsd.log], [false, ""]);
  });

  it("a peer that speaks no HTTP, or stops in the middle, disturbs nobody", async (context) => {
    const { place } = await ready(context as TestContext);
    for (const text of ["\0\0\0\0", "GET", `POST /control HTTP/1.1\r\nContent-Length: 99999\r\n\r\n{`, "x".repeat(200_000)]) {
      const socket = connect(place.socket);
      socket.on("error", () => undefined);
      await new Promise((resolve) => socket.once("connect", resolve));
      socket.write(text);
      assert.equal((await runLvsadm(place.socket, "-Ln")).status, 0);
      socket.destroy();
    }
  });
}

// What is nearly a request, with one field gone wrong; and what never was one.
const value = fc.oneof(
  fc.constant(null), fc.integer({ max: -1 }), fc.double({ noInteger: true }), fc.constant("x".repeat(70)), fc.constant({}), fc.constant([[]]),
);
const good: Record<string, unknown> = {
  protocol: "tcp", family: 4, address: "10.9.0.100", port: 80, fwmark: 0, scheduler: "rr", schedulerFlags: 0, persistent: false,
  timeoutSeconds: 0, netmask: "255.255.255.255", persistenceEngine: "", onePacket: false,
};
const wild = fc.oneof(
  fc.tuple(fc.constantFrom(...Object.keys(good)), value).map(([name, wrong]) => JSON.stringify({ do: "service-edit", service: { ...good, [name]: wrong } })),
  fc.tuple(fc.constantFrom("zero", "service-delete"), value).filter(([verb, wrong]) => verb !== "zero" || wrong !== undefined)
    .map(([verb, wrong]) => JSON.stringify({ do: verb, service: wrong })),
  fc.json().filter((text) => !text.includes('"do"')),
  fc.string().filter((text) => !text.includes("do")),
  fc.constantFrom("sysctl-set", "timeouts-set", "mark-add", "server-add", "server-delete").map((verb) => JSON.stringify({ do: verb })),
);

inNamespaces("lvsd as a program", import.meta.url, tests);
