// What two runs of the same kernel would not agree on either.

/** The virtual address, and the net that scenarios make local for marks: the director's own errors come from there. */
const isVirtual = (address: string): boolean => address === "10.0.1.100" || address.startsWith("198.19.");

/** Blanks identifications that are chosen by the director itself. */
export function maskedFrame(hex: string): string {
  const frame = Buffer.from(hex, "hex");
  if (frame.readUInt16BE(12) === 0x0800) {
    const source = frame.subarray(26, 30).join(".");
    // What the virtual address tells a NAT server of its own packet has gone through the director once (recordings pieces_uncut_nat, unreachable4).
    const toServer = frame[22] === 63 && frame[34] === 3 && (frame[35] === 1 || frame[35] === 4) && frame.subarray(30, 33).join(".") === "10.0.2";
    const own = source === "10.0.1.1" || source === "10.0.2.1" || (frame[23] === 1 && isVirtual(source) && (frame[22] === 64 || toServer));
    if (own) frame.fill(0, 18, 20).fill(0, 24, 26);
    // GUE's source port is a hash with a secret of the boot; its checksum follows. Later pieces have neither.
    if (own && frame[23] === 17 && (frame.readUInt16BE(20) & 0x1fff) === 0) frame.fill(0, 34, 36).fill(0, 40, 42);
  }
  const outer6 = frame.readUInt16BE(12) === 0x86dd && frame[20] === 17 && frame.subarray(22, 38).toString("hex");
  // The same in the first piece of one.
  const firstPiece6 = frame.length >= 70 && frame.readUInt16BE(12) === 0x86dd && frame[20] === 44 && frame[54] === 17 && (frame.readUInt16BE(56) & 0xfff8) === 0;
  if (firstPiece6 && frame.subarray(22, 38).toString("hex") === "fd000002000000000000000000000001") frame.fill(0, 62, 64).fill(0, 68, 70);
  if (outer6 === "fd000002000000000000000000000001") frame.fill(0, 54, 56).fill(0, 60, 62);
  // A sync message's source port, and the checksum with it.
  const toGroup6 = frame.readUInt16BE(12) === 0x86dd && frame[38] === 0xff;
  if (toGroup6 && frame[20] === 17) frame.fill(0, 54, 56).fill(0, 60, 62);
  if (toGroup6 && firstPiece6) frame.fill(0, 62, 64).fill(0, 68, 70);
  // The fragment header's identification: chosen anew by the kernel after reassembly.
  if (frame.length >= 62 && frame.readUInt16BE(12) === 0x86dd && frame[20] === 44) frame.fill(0, 58, 62);
  return frame.toString("hex");
}

/** A listing's services in an order of their own: the kernel's depends on where its memory lay. */
export function byService(text: string): string {
  const [head = "", ...services] = text.split(/^(?=[A-Z]{3,4} )/m);
  return [head, ...services.sort()].join("");
}

/**
 * A listing without the figures of its rates. A kernel's estimator comes every two seconds and up to an eighth later, counted from a
 * moment nobody knows: how often it came is seen in rates alone (rates.test.ts has what it makes of each period).
 */
export function withoutRates(command: string, text: string): string {
  if (/ip_vs_stats/.test(command)) return text.replace(/(?<=\/s\n)[ 0-9A-F]+(?=\n)/g, "rates");
  return command.includes("--rate") ? text.replace(/( +\d+){5}(?=\n)/g, " rates") : text;
}

interface Row { rest: string; seconds: number; isConnection: boolean }

/** A connection of /proc/net/ip_vs_conn: its timer stands behind its state. */
const PROC_ROW = /^(\w+ +(?:[0-9A-Fa-f:]+ [0-9A-F]{4} ){3}[A-Z][A-Z0-9_-]*(?: +(?:LOCAL|SYNC))?) +(\d+)( .*)?$/;

/** Lines of a text; connections, to which the kernel's hash gives no order, sorted by everything but their timer. */
function rowsOf(text: string): Row[] {
  const rows: Row[] = [];
  let run: Row[] = [];
  const endRun = (): void => {
    rows.push(...run.sort((a, b) => (a.rest < b.rest ? -1 : a.rest > b.rest ? 1 : a.seconds - b.seconds)));
    run = [];
  };
  for (const line of text.split("\n")) {
    const found = /^(\S+ +)(\d+):(\d+)(.*)$/.exec(line);
    const inProc = PROC_ROW.exec(line);
    if (found) {
      run.push({ rest: `${found[1]}${found[4]}`, seconds: Number(found[2]) * 60 + Number(found[3]), isConnection: true });
    } else if (inProc) {
      run.push({ rest: `${inProc[1]}${inProc[3] ?? ""}`, seconds: Number(inProc[2]), isConnection: true });
    } else {
      endRun();
      rows.push({ rest: line, seconds: 0, isConnection: false });
    }
  }
  endRun();
  return rows;
}

/**
 * The kernel's rows without connections that have ended in the engine. The kernel's timers are late by as much as
 * an eighth of their time (a grain that grows with the time and depends on the kernel's HZ and moment of boot):
 * meanwhile it lists 00:00. The engine's connections end when they should, so such a row may be missing.
 */
function withoutEnded(rows: Row[], others: Row[]): Row[] {
  const living = new Set(others.map((row) => row.rest));
  return rows.filter((row) => row.seconds > 0 || !row.isConnection || living.has(row.rest));
}

const isTemplate = (rest: string): boolean => /^\w+ +\w+ +\S+:0 /.test(rest);

/**
 * Rows without templates of one side alone whose last round may be going on: whether the timer that gives it another came
 * before or after the end of the connection that the template waits for is a matter of the kernel's grain, too.
 */
function withoutLastRounds(rows: Row[], others: Row[], slack: Slack): Row[] {
  const living = new Set(others.map((row) => row.rest));
  return rows.filter((row) => !row.isConnection || !isTemplate(row.rest) || row.seconds >= slack.templateSeconds || living.has(row.rest));
}

const ROUND_SECONDS = 60;
const isFtp = (rest: string): boolean => /^\w+ +\w+ +\S+ +\S+:21 /.test(rest);

/**
 * A template that outlives its time because of its connections, or an FTP command connection because of its data connections, is looked
 * at again each minute, by a kernel timer that comes late each time: after some of these rounds the next one has begun on one side alone.
 */
function sameTime(row: Row, other: Row, slack: Slack): boolean {
  const apart = Math.abs(row.seconds - other.seconds);
  if (apart <= slack.seconds) return true;
  const inRounds = row.seconds <= ROUND_SECONDS && other.seconds <= ROUND_SECONDS;
  if (!isTemplate(row.rest) && !(inRounds && isFtp(row.rest))) return false;
  return (inRounds ? Math.min(apart, ROUND_SECONDS - apart) : apart) <= slack.templateSeconds;
}

/** A server's line of a listing: address, method or weight or threshold, one more of these, two counts. */
const COUNTED = /^ {2}-> (\S+) +(\S+) +(\d+) +(\d+) +(\d+) *$/;

/**
 * True for lines of a server that differ by one in what lives in rounds: in templates, or in the command connections of FTP, which are
 * inactive in their last round. Only where rounds are compared (Slack.templateSeconds).
 */
function sameCounts(row: Row, other: Row | undefined, header: string, slack: Slack): boolean {
  const [theirs, ours] = [COUNTED.exec(row.rest), COUNTED.exec(other?.rest ?? "")];
  if (!theirs || !ours || slack.templateSeconds <= slack.seconds) return false;
  const apart = theirs.slice(1).map((word, at) => (word === ours[at + 1] ? 0 : Math.abs(Number(word) - Number(ours[at + 1]))));
  const [address, method, template, active, inactive] = apart;
  const inRounds = (template === 0 || (template === 1 && header.includes("PersistConn"))) && (inactive === 0 || (inactive === 1 && (theirs[1] ?? "").endsWith(":21")));
  return address === 0 && method === 0 && active === 0 && inRounds;
}

/** How many seconds timers may be apart: the guest's clock has its own grain. */
export interface Slack { seconds: number; templateSeconds: number }

/** True when two outputs say the same, but for their timers' slack. */
export function sameText(kernel: string, engine: string, slack: Slack): boolean {
  if (kernel === engine) return true;
  const [theirs, ours] = [rowsOf(kernel), rowsOf(engine)];
  const right = withoutLastRounds(ours, theirs, slack);
  const left = withoutLastRounds(withoutEnded(theirs, ours), ours, slack);
  const header = left.find((row) => row.rest.startsWith("Prot"))?.rest ?? "";
  return left.length === right.length && left.every((row, index) => {
    const other = right[index];
    return row.rest === other?.rest ? sameTime(row, other, slack) : sameCounts(row, other, header, slack);
  });
}
