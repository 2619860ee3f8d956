// Command lines of ipvsadm by seed: every option with values of every kind, long, short and joined, mostly right, often a
// little wrong. A few services and servers come again and again, so that many commands have something to change.

import { Random } from "./random.js";

/** One of the program's options: its names, and what may stand behind it. */
interface Form { long: string; short?: string; values?: readonly string[]; optional?: boolean }

const NUMBERS = ["0", "1", "2", "3", "10", "100", "255", "256", "65535", "65536"] as const;
const ODD_NUMBERS = [
  "-1", "+5", "007", "0x10", "1e3", "1.5", " 7", "7 ", "", "x",
  "2147483647", "2147483648", "4294967295", "4294967296", "99999999999999999999",
] as const;
const ADDRESSES = ["10.0.1.100", "10.0.1.100", "10.0.1.101", "[fd00:1::100]", "[fd00:1::100]"] as const;
const PORTS = [":80", ":80", ":81", ":21", ":5060"] as const;
const ODD_ENDPOINTS = [
  "10.0.1.100", "10.0.1.100:", "10.0.1.100:0", "10.0.1.100:65536", "10.0.1.100:-1", "10.0.1.100:+80", "10.0.1.100:0x50", "10.0.1.100:080",
  "10.0.1.100:80:80", "10.0.1", "10.0.1.300:80", "0.0.0.0:80", "255.255.255.255:80", "224.0.0.1:80", "127.0.0.1:80",
  "fd00:1::100", "[fd00:1::100]", "[fd00:1::100]:0", "[fd00:1::100]:",
  "[fd00:1::100]80", "[fd00:1::100", "[::1]:80", "[ff02::1]:80", "[::ffff:10.0.1.100]:80", "[10.0.1.100]:80", "[fe80::1%out]:80", ":80", "", "*:80",
] as const;
const SCHEDULERS = ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh"] as const;

const endpointsOf = (addresses: readonly string[]): string[] => addresses.flatMap((address) => PORTS.map((port) => address + port));
const VIRTUAL = endpointsOf(ADDRESSES);
const REAL = [
  ...endpointsOf(["10.0.2.11", "10.0.2.12", "[fd00:2::11]", "[fd00:2::12]"]),
  "10.0.2.11", "10.0.2.12", "[fd00:2::11]", "10.0.1.1:80", "127.0.0.1:80",
];

const COMMANDS: readonly Form[] = [
  { long: "add-service", short: "A" }, { long: "edit-service", short: "E" }, { long: "delete-service", short: "D" },
  { long: "add-server", short: "a" }, { long: "edit-server", short: "e" }, { long: "delete-server", short: "d" },
  { long: "list", short: "L" }, { long: "list", short: "l" }, { long: "clear", short: "C" },
  { long: "zero", short: "Z" }, { long: "save", short: "S" }, { long: "set" },
  { long: "start-daemon", values: ["master", "backup"] }, { long: "stop-daemon", values: ["master", "backup"] },
];
const SERVICES: readonly Form[] = [
  { long: "tcp-service", short: "t", values: VIRTUAL }, { long: "udp-service", short: "u", values: VIRTUAL }, { long: "sctp-service", values: VIRTUAL },
  { long: "fwmark-service", short: "f", values: ["1", "2", "4294967295"] },
];
const OF_SERVICES: readonly Form[] = [
  { long: "scheduler", short: "s", values: SCHEDULERS }, { long: "persistent", short: "p", values: ["1", "60", "300", "6000"], optional: true },
  { long: "netmask", short: "M", values: ["255.255.255.0", "255.255.255.255", "255.0.255.0", "0.0.0.0", "64", "24", "128"] }, { long: "pe", values: ["sip"] },
  { long: "ops", short: "o" }, { long: "ipv6", short: "6" },
  {
    long: "sched-flags", short: "b",
    values: [
      "sh-port", "sh-fallback", "mh-port", "mh-fallback", "flag-1", "flag-2", "flag-3",
      "sh-port,sh-fallback", "mh-fallback,mh-port", "flag-1,flag-3",
    ],
  },
];
const OF_SERVERS: readonly Form[] = [
  { long: "gatewaying", short: "g" }, { long: "ipip", short: "i" }, { long: "masquerading", short: "m" }, { long: "weight", short: "w", values: NUMBERS },
  { long: "u-threshold", short: "x", values: NUMBERS }, { long: "l-threshold", short: "y", values: NUMBERS },
  { long: "tun-type", values: ["ipip", "gue", "gre"] }, { long: "tun-port", values: ["6080", "443", "1"] },
  { long: "tun-nocsum" }, { long: "tun-csum" }, { long: "tun-remcsum" },
];
const OF_LISTINGS: readonly Form[] = [
  { long: "numeric", short: "n" }, { long: "numeric", short: "n" }, { long: "connection", short: "c" }, { long: "timeout" },
  { long: "daemon" }, { long: "stats" }, { long: "rate" },
  { long: "exact" }, { long: "thresholds" }, { long: "persistent-conn" }, { long: "tun-info" }, { long: "nosort" }, { long: "sort" },
];
const OF_DAEMONS: readonly Form[] = [
  { long: "mcast-interface", values: ["out", "in", "nosuch"] }, { long: "syncid", values: ["0", "1", "255"] },
  { long: "sync-maxlen", values: ["100", "1400", "1500", "9000"] },
  { long: "mcast-group", values: ["224.0.0.81", "239.1.2.3", "[ff02::81]", "ff02::81"] },
  { long: "mcast-port", values: ["8848", "1", "65535"] }, { long: "mcast-ttl", values: ["1", "64", "255"] },
];
const REAL_SERVER: Form = { long: "real-server", short: "r", values: REAL };
const ALL: readonly Form[] = [...COMMANDS, ...SERVICES, ...OF_SERVICES, ...OF_SERVERS, ...OF_LISTINGS, ...OF_DAEMONS, REAL_SERVER];
const STRANGERS = ["extra", "--", "-", "--nosuch", "-Q", "-q", "80", "--tcp", "--stat", "-nn", "--help=1"] as const;

/** As a shell reads it back. */
const quoted = (word: string): string => (/^[\w.:[\],=+%/-]+$/.test(word) ? word : `'${word}'`);

export class CommandLines {
  constructor(private readonly random: Random) {}

  private value(form: Form): string {
    const { random } = this;
    if (random.chance(92)) return random.pick(form.values ?? NUMBERS);
    return random.pick(VIRTUAL.includes(form.values?.[0] ?? "") || form === REAL_SERVER ? ODD_ENDPOINTS : random.chance(70) ? ODD_NUMBERS : ODD_ENDPOINTS);
  }

  /** An option as it may be written. */
  private written(form: Form): string[] {
    const { random } = this;
    const isShort = form.short !== undefined && random.chance(60);
    const name = isShort ? `-${form.short}` : `--${form.long}`;
    if (form.values === undefined) return random.chance(1) ? [`${name}=1`] : [name];
    if (form.optional === true && random.chance(30)) return [name];
    if (random.chance(1)) return [name];
    const value = quoted(this.value(form));
    return random.weighted([[70, [name, value]], [15, [`${name}=${value}`]], [15, isShort ? [`${name}${value}`] : [name, value]]]);
  }

  private some(forms: readonly Form[], most: number): string[] {
    return Array.from({ length: this.random.below(most + 1) }, () => this.written(this.random.pick(forms))).flat();
  }

  /** What a command needs and takes. */
  private words(command: Form): string[] {
    const service = (): string[] => this.written(this.random.pick(SERVICES));
    switch (command.long) {
      case "add-service": case "edit-service": return [...service(), ...this.some(OF_SERVICES, 4)];
      case "delete-service": return service();
      case "add-server": case "edit-server": return [...service(), ...this.written(REAL_SERVER), ...this.some(OF_SERVERS, 4)];
      case "delete-server": return [...service(), ...this.written(REAL_SERVER)];
      case "list": return [...(this.random.chance(30) ? service() : []), ...this.some(OF_LISTINGS, 3)];
      case "zero": return this.random.chance(50) ? service() : [];
      case "save": return this.random.chance(70) ? ["-n"] : [];
      case "set": return [0, 1, 2].map(() => (this.random.chance(85) ? this.random.pick(NUMBERS) : quoted(this.random.pick(ODD_NUMBERS))));
      case "start-daemon": return this.some(OF_DAEMONS, 4);
      default: return [];
    }
  }

  /** Flags that are written as one word, as "-Ln". */
  private joined(words: string[]): string[] {
    const [first = "", second = "", ...rest] = words;
    return /^-\w$/.test(first) && /^-\w/.test(second) && this.random.chance(40) ? [first + second.slice(1), ...rest] : words;
  }

  /** One command line. */
  next(): string {
    const { random } = this;
    const command = random.weighted([[9, random.pick(COMMANDS)], [8, random.pick(COMMANDS.slice(0, 6))], [6, COMMANDS[0] as Form], [8, COMMANDS[3] as Form]]);
    let words = [...this.written(command), ...this.words(command)];
    if (random.chance(12)) words.push(...this.written(random.pick(ALL)));
    if (random.chance(4)) words.splice(random.below(words.length + 1), 0, random.pick(STRANGERS));
    if (random.chance(5)) words.splice(random.below(words.length), 1);
    if (random.chance(4)) words = [...words.slice(1), ...words.slice(0, 1)];
    return ["ipvsadm", ...this.joined(words)].join(" ");
  }
}
