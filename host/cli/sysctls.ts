// Kernel settings below net.ipv4.vs: which have no meaning here, and what may be written to the others, as the kernel reads it
// (recording cli_sysctls).

const ESTIMATOR = "rates are estimated by the engine itself, by no kernel thread";

/** Those that have no meaning here, and why. `lvsadm` neither shows nor sets them. */
export const ABSENT: Readonly<Record<string, string>> = {
  conntrack: "packets do not pass a kernel's connection tracking",
  debug_level: "the engine does not log; drop reasons are in `lvsadm status`",
  est_cpulist: ESTIMATOR,
  est_nice: ESTIMATOR,
  ignore_tunneled: "the engine takes no tunnel apart: what comes out of one is the kernel's and does not pass here again",
  snat_reroute: "every answer is routed by its own destination already",
  sync_sock_size: "sync messages are frames of the engine's own: there is no socket",
};

/** Where the kernel keeps them. */
export const FOLDER = "/proc/sys/net/ipv4/vs";
export const PREFIX = "net.ipv4.vs.";

const INT_MIN = -2147483648n;
const INT_MAX = 2147483647n;
/** What is kept of a value that is longer than a word there and has 32 bits here. */
const WORD_MAX = 4294967295n;
const LONG_MAX = 18446744073709551615n;
/** Seconds are kept as ticks there, of which a kernel like the recorded one has a hundred in each. */
const SECONDS_MAX = INT_MAX / 100n;

interface Kind { least: bigint; most: bigint; numbers: number; isPower?: boolean }

const NUMBER: Kind = { least: INT_MIN, most: INT_MAX, numbers: 1 };
const MODE: Kind = { ...NUMBER, least: 0n, most: 3n };
const SECONDS: Kind = { ...NUMBER, least: -SECONDS_MAX, most: SECONDS_MAX };

const KINDS: ReadonlyMap<string, Kind> = new Map(Object.entries<Kind>({
  drop_entry: MODE, drop_packet: MODE, secure_tcp: MODE, sync_retries: MODE,
  lblc_expiration: SECONDS, lblcr_expiration: SECONDS, sync_refresh_period: SECONDS,
  sync_ports: { ...NUMBER, isPower: true },
  sync_qlen_max: { ...NUMBER, least: 0n, most: LONG_MAX },
  sync_threshold: { ...NUMBER, least: 0n, numbers: 2 },
  sync_version: { ...NUMBER, least: 0n, most: 1n },
}));

/** One number as C writes it: 10, 0x10, 010; with a minus, but no plus. */
function readNumber(word: string): bigint | undefined {
  const parts = /^(-?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)$/.exec(word);
  if (!parts) return undefined;
  const [, sign, digits = ""] = parts;
  const value = BigInt(/^0\d/.test(digits) ? `0o${digits}` : digits);
  return sign === "-" ? -value : value;
}

function isTaken(value: bigint, kind: Kind): boolean {
  return value >= kind.least && value <= kind.most && (kind.isPower !== true || (value > 0n && (value & (value - 1n)) === 0n));
}

/**
 * A setting's text as numbers: one, of sync_threshold up to two. More than these are passed over, as the kernel does;
 * undefined when it would refuse the text, or when there is no number in it.
 */
export function readSetting(name: string, text: string): number[] | undefined {
  const kind = KINDS.get(name) ?? NUMBER;
  const words = text.split(/[ \t\n]+/).filter((word) => word !== "").slice(0, kind.numbers);
  const values = words.map(readNumber);
  if (values.length === 0 || !values.every((value) => value !== undefined && isTaken(value, kind))) return undefined;
  const [first = 0n, period = 0n] = values as bigint[];
  if (values.length === 2 && period !== 0n && first >= period) return undefined;
  return (values as bigint[]).map((value) => Number(value > WORD_MAX ? WORD_MAX : value));
}
