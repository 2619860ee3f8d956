// What two runs of the same kernel would not agree on either.

/** The virtual address, and the net that scenarios make local for marks: the director's own errors come from there. */
const isVirtual = (address: string): boolean => address === "10.0.1.100" || address.startsWith("198.19.");

/** The director's own address towards its servers, IPv6. */
const INSIDE6 = "fd000002000000000000000000000001";

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
  if (frame.readUInt16BE(12) === 0x86dd) mask6(frame);
  return frame.toString("hex");
}

function mask6(frame: Buffer): void {
  const isUdp = frame[20] === 17;
  const isFirstUdpPiece = frame.length >= 70 && frame[20] === 44 && frame[54] === 17 && (frame.readUInt16BE(56) & 0xfff8) === 0;
  // GUE's source port, or a sync message's, and the checksum with it.
  if (frame.toString("hex", 22, 38) === INSIDE6 || frame[38] === 0xff) {
    if (isUdp) frame.fill(0, 54, 56).fill(0, 60, 62);
    if (isFirstUdpPiece) frame.fill(0, 62, 64).fill(0, 68, 70);
  }
  // The fragment header's identification: chosen anew by the kernel after reassembly.
  if (frame.length >= 62 && frame[20] === 44) frame.fill(0, 58, 62);
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

interface Row { rest: string; seconds: number }

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
    const inProc = PROC_ROW.exec(line);
    const found = inProc ? null : /^(\S+ +)(\d+):(\d+)(.*)$/.exec(line);
    if (found) {
      run.push({ rest: `${found[1]}${found[4]}`, seconds: Number(found[2]) * 60 + Number(found[3]) });
    } else if (inProc) {
      run.push({ rest: `${inProc[1]}${inProc[3] ?? ""}`, seconds: Number(inProc[2]) });
    } else {
      endRun();
      rows.push({ rest: line, seconds: 0 });
    }
  }
  endRun();
  return rows;
}

/** A text whose connections stand in an order of their own. */
export function byConnection(text: string): string {
  return rowsOf(text).map(({ rest, seconds }) => `${rest} ${seconds}`).join("\n");
}

/** How many seconds a listing's timers may be apart: a kernel counts whole ticks, and a command takes its time. */
const SLACK_SECONDS = 1;

/** True when two outputs say the same, but for their timers' slack. */
export function sameText(kernel: string, engine: string): boolean {
  if (kernel === engine) return true;
  const [theirs, ours] = [rowsOf(kernel), rowsOf(engine)];
  return theirs.length === ours.length && theirs.every((row, index) => {
    const other = ours[index];
    return row.rest === other?.rest && Math.abs(row.seconds - other.seconds) <= SLACK_SECONDS;
  });
}
