// Random scenarios: services, servers, clients that walk through their connections, errors, fragments and
// frames nobody should send. The generator sees what came out, so that servers answer what reached them.

import { STEP_SECONDS } from "../oracle/kernel/grain.js";
import type { Step } from "../oracle/kernel/recorder.js";
import { clientMac, MAC_IN, MAC_OUT, makeService, schedulingWords, serverMac, serverWords, SERVERS_MAX, type Service } from "./place.js";
import { ethernet } from "./packets.js";
import type { Random } from "./random.js";
import { Flow } from "./flow.js";
import type { Cast } from "./plays/cast.js";
import { damage, errorAbout, fragmentsOf, isBelowMatch, stray } from "./oddities.js";

/** Whose turn it is to speak: the port that its frames go into. */
export type Side = "out" | "in";

/** A frame that came out of a director. */
export interface Emitted { port: string; bytes: Uint8Array }

/**
 * Times to let pass, in steps of ../oracle/kernel/grain.ts (grain.test.ts says why these). Timers of more than five minutes have a
 * longer grain: no sum falls between 900 s and that much later.
 */
const SMALL_MAX = 12;
const MIDDLE_SECONDS = 13 * STEP_SECONDS;
const MIDDLE_MAX = 2;
const LONG_SECONDS = 72 * STEP_SECONDS;

const SYSCTLS = [
  "expire_nodest_conn=1", "expire_quiescent_template=1", "nat_icmp_send=1", "sloppy_tcp=1", "schedule_icmp=1", "cache_bypass=1",
  "conn_reuse_mode=0", "conn_reuse_mode=2", "conn_reuse_mode=3", "pmtu_disc=0", "ignore_tunneled=1", "snat_reroute=0",
];
const SYSCTLS_MAX = 4;
/** Which states have no timeout that is due with missing pieces' or a template's (grain.test.ts). */
const TIMEOUTS = ["146 146 146", "300 146 146", "0 60 146", "146 0 0"];
const MTUS = [1280, 1300, 1400, 1492];
const LISTINGS = [
  "ipvsadm -Ln", "ipvsadm -Lnc", "ipvsadm -Sn", "ipvsadm -Ln --persistent-conn", "ipvsadm -Ln --thresholds",
  "ipvsadm -Lnc", "ipvsadm -Ln --tun-info", "ipvsadm -L --timeout", "ipvsadm -Lnc --persistent-conn", "cat /proc/net/ip_vs_conn", "cat /proc/net/ip_vs",
];

/** The kernel sums these every two seconds: asked only after some time has passed. */
const STATISTICS = "ipvsadm -Ln --stats --exact";

/** Kinds of changes, and those of them that need statistics to be summed: servers and services taken away, and `-Z`. */
const CHANGES = 12;
const STATISTICAL = [2, 3, 5, 7];

type Kind = "open" | "client" | "server" | "error" | "fragments" | "stray" | "command" | "listing" | "time" | "play";

/** How often a play goes on, where there is a cast. */
const PLAY_PERCENT = 25;

/** A while in which one side speaks: frames into the same port go to a kernel at once, which a command costs as much as thirty of. */
const RUN_MAX = 20;
const KINDS: Record<Side, readonly (readonly [number, Kind])[]> = {
  out: [[16, "open"], [42, "client"], [5, "error"], [4, "fragments"], [4, "stray"], [1, "command"], [2, "listing"], [1, "time"]],
  in: [[62, "server"], [5, "error"], [2, "fragments"], [2, "stray"], [1, "command"], [2, "listing"], [1, "time"]],
};

/** What the director says as an IPv6 server behind NAT is dropped by a kernel, as other servers' errors are (tests/oracle/known.ts). */
const mayBeLocal = (service: Service): boolean => service.family === 4 || (service.method !== "m" && !service.mixed);

/**
 * Makes a scenario step by step. Ask `next`, do it, tell `observe` what came out; or ask `nextRun` for frames that can be sent
 * before their outcome is known.
 */
export class Generator {
  private readonly services: Service[] = [];
  private readonly flows: Flow[] = [];
  private readonly waiting: Step[] = [];
  /** Whose packet a frame holds, until its outcome is known. */
  private readonly asked = new Map<Step, Flow>();
  private side: Side = "out";
  private runLeft = RUN_MAX;
  private small = 0;
  private middle = 0;
  /**
   * Errors came out while time passed: whether a kernel has summed them, only its estimator knows, and on that depends what `-Z` and
   * taking a server away, which a service of its own finds at zero again, leave of them.
   */
  private unsummed = false;

  /** With a cast, plays (plays/index.ts) go on between the flows. */
  constructor(private readonly random: Random, private readonly cast?: Cast, private readonly flowsMax = 24) {
    const count = 1 + random.below(3);
    for (let n = 0; n < count; n++) this.addService(random.pick([80, 443, 53, 8080]) + n);
    if (random.chance(40)) for (let settings = 1 + random.below(SYSCTLS_MAX); settings > 0; settings--) this.set();
    if (random.chance(10)) this.command(`ipvsadm --set ${random.pick(TIMEOUTS)}`);
    if (random.chance(8)) this.command(`ip link set ${random.pick(["out", "in"])} mtu ${random.pick(MTUS)}`);
  }

  private command(cmd: string): void {
    this.waiting.push({ ev: "cmd", cmd });
  }

  private set(): void {
    this.command(`sysctl -w net.ipv4.vs.${this.random.pick(SYSCTLS)}`);
  }

  private addService(port: number): void {
    const service = makeService(this.random, port);
    this.services.push(service);
    this.bring(service);
  }

  private bring(service: Service): void {
    const { random } = this;
    service.gone = false;
    const lines = [`ipvsadm -A ${service.key} ${schedulingWords(random, service.family, service.protocol === "udp")}`];
    for (let count = 1 + random.below(4); count > 0; count--) lines.push(this.addServer(service));
    this.command(lines.join("; "));
  }

  private addServer(service: Service): string {
    const n = mayBeLocal(service) && this.random.chance(6) ? 0 : 1 + this.random.below(SERVERS_MAX);
    service.servers.push(n);
    return `ipvsadm -a ${serverWords(this.random, service, n)}`;
  }

  private peek(): Step {
    // Each kind may have nothing to do just now; opening a flow always has.
    for (let attempt = 0; this.waiting.length === 0 && attempt < 8; attempt++) this.plan(this.kind());
    if (this.waiting.length === 0) this.plan("open");
    const step = this.waiting[0];
    if (!step) throw new Error("the generator has nothing to do");
    return step;
  }

  next(): Step {
    const step = this.peek();
    this.waiting.shift();
    return step;
  }

  /** A step, or several frames into the same port. */
  nextRun(stepsMax: number): Step[] {
    const run = [this.next()];
    for (const [first] = run; run.length < stepsMax && first?.ev === "in";) {
      const step = this.peek();
      if (step.ev !== "in" || step.if !== first.if) break;
      run.push(this.next());
    }
    return run;
  }

  private kind(): Kind {
    if (this.runLeft-- <= 0) {
      this.side = this.random.chance(55) ? "out" : "in";
      this.runLeft = this.random.below(RUN_MAX);
    }
    if (this.cast && this.random.chance(PLAY_PERCENT)) return "play";
    return this.random.weighted<Kind>(KINDS[this.side]);
  }

  private plan(kind: Kind): void {
    const { random } = this;
    switch (kind) {
      case "open": return this.open();
      case "client": case "server": return this.speak(kind);
      case "error": return this.fromFlow((flow) => errorAbout(random, flow, this.side));
      case "fragments": return this.fromFlow((flow) => fragmentsOf(random, flow, this.side));
      case "stray": this.waiting.push(stray(random, random.pick(this.services), this.side)); return;
      case "command": return this.change();
      case "listing": return this.command(random.pick(LISTINGS));
      case "time": return this.pass();
      case "play": return this.act();
    }
  }

  private act(): void {
    const step = this.cast?.next(this.services.map(({ key }) => key));
    if (step) this.waiting.push(step);
  }

  private fromFlow(make: (flow: Flow) => Step[]): void {
    if (this.flows.length > 0) this.waiting.push(...make(this.random.pick(this.flows)));
  }

  private open(): void {
    const service = this.random.pick(this.services);
    const flow = new Flow(this.random, service);
    if (this.flows.length >= this.flowsMax) this.flows.shift();
    this.flows.push(flow);
    this.send(flow, "out", flow.firstPacket());
  }

  private speak(who: "client" | "server"): void {
    if (this.flows.length === 0) return;
    const flow = this.random.pick(this.flows);
    if (who === "client") return this.send(flow, "out", flow.clientPacket());
    const packet = flow.serverPacket();
    if (packet) this.send(flow, "in", packet);
  }

  private send(flow: Flow, port: "out" | "in", packet: Buffer): void {
    const frame = port === "out" ? ethernet(MAC_OUT, clientMac(flow.client), packet) : ethernet(MAC_IN, serverMac(flow.serverNumber ?? 1), packet);
    const odd = this.random.chance(4) ? damage(this.random, frame) : frame;
    const sent = this.cast && isBelowMatch(odd) ? frame : odd;
    const step: Step = { ev: "in", if: port, hex: sent.toString("hex") };
    if (sent === frame) this.asked.set(step, flow);
    this.waiting.push(step);
  }

  /** What an operator might do in the middle. */
  private change(): void {
    const { random } = this;
    const service = random.pick(this.services);
    const n = service.servers.length > 0 ? random.pick(service.servers) : 1;
    const server = serverWords(random, service, n);
    if (service.gone) return this.bring(service);
    const kind = random.below(CHANGES);
    if (this.unsummed && STATISTICAL.includes(kind)) return this.set();
    switch (kind) {
      case 0: case 1: return this.command(this.addServer(service));
      case 2: case 3: return this.command(`ipvsadm -d ${server.replace(/ -[mgi] .*$/, "")}`);
      case 4: return this.command(`ipvsadm -E ${service.key} ${schedulingWords(random, service.family, service.protocol === "udp")}`);
      case 5: return this.takeAway(service);
      case 6: return this.set();
      case 7: return this.command(random.chance(50) ? "ipvsadm -Z" : `ipvsadm -Z ${service.key}`);
      default: return this.command(`ipvsadm -e ${server}`);
    }
  }

  /** For a while, or to be there again at once. */
  private takeAway(service: Service): void {
    service.gone = true;
    service.servers.length = 0;
    this.command(`ipvsadm -D ${service.key}`);
    if (this.random.chance(50)) this.bring(service);
  }

  private pass(): void {
    if (this.random.chance(8)) {
      this.waiting.push({ ev: "advance", s: LONG_SECONDS });
      this.small = this.middle = 0;
      this.cast?.endDialog();
    } else if (this.middle < MIDDLE_MAX && this.random.chance(15)) {
      this.waiting.push({ ev: "advance", s: MIDDLE_SECONDS });
      this.middle++;
    } else if (this.small < SMALL_MAX) {
      this.waiting.push({ ev: "advance", s: STEP_SECONDS });
      this.small++;
      if (this.random.chance(50)) this.command(STATISTICS);
    }
  }

  /** Tells what a step made come out. */
  observe(step: Step, emitted: readonly Emitted[]): void {
    if (step.ev === "advance") this.unsummed = emitted.length > 0;
    for (const frame of emitted) this.asked.get(step)?.saw(frame);
    this.asked.delete(step);
    this.cast?.observe(step, emitted);
  }
}
