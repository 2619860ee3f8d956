// What `iperf3 --json` prints: the bytes that arrived, and in what time.

interface Sum { bytes?: number; seconds?: number; bits_per_second?: number }
interface Document { error?: string; end?: { sum_received?: Sum } }

export interface IperfReport { gigabitsPerSecond: number; bytes: number }

/** Reads what the receiver counted. Throws iperf3's own words when it failed. */
export function readIperf(text: string): IperfReport {
  let document: Document;
  try {
    document = JSON.parse(text) as Document;
  } catch {
    throw new Error(`iperf3 printed no JSON: ${text.trim().slice(0, 300)}`);
  }
  if (document.error !== undefined) throw new Error(`iperf3: ${document.error}`);
  const { bytes, bits_per_second: bits } = document.end?.sum_received ?? {};
  if (bytes === undefined || bits === undefined) throw new Error("iperf3 says nothing about what was received");
  return { gigabitsPerSecond: bits / 1e9, bytes };
}
