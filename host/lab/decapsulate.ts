// Takes IPIP apart (RFC 2003) in a namespace whose kernel has no ipip device: by a BPF program where
// one may be loaded, by a thread where not (an ordinary user's namespace). The thread knows all tunnels.

import { spawnSync } from "node:child_process";
import { Worker } from "node:worker_threads";
import { attachIngress, type Instruction } from "../io/sys/bpf.js";
import { SystemError } from "../io/sys/error.js";
import { TunnelCounts } from "./unwrap.js";

const DATA_AT = 76; // struct __sk_buff: where its packet begins, and ends four bytes on
const ETHERTYPE_AT = 12;
const PROTOCOL_AT = 14 + 9;
const HEADERS_BYTES = 34;
const OUTER_BYTES = 20;
const ETHERTYPE_IPV4 = 0x0008; // as a little-endian machine reads it
const PROTOCOL_IPIP = 4;
const HELPER_ADJUST_ROOM = 50;
const ROOM_AT_MAC = 1;
const ROOM_FIXED_GSO = 1;
const TCX_NEXT = -1;

const at = (op: number, target: number, source: number, offset: number, value: number): Instruction =>
  ({ op, target, source, offset, value });

// "Is it IPv4 with protocol 4? Then cut the outer header off. In any case go on."
const PROGRAM: readonly Instruction[] = [
  at(0xbf, 6, 1, 0, 0), //                        r6 = context
  at(0x61, 2, 6, DATA_AT, 0), //                  r2 = first byte
  at(0x61, 3, 6, DATA_AT + 4, 0), //              r3 = behind the last
  at(0xbf, 4, 2, 0, 0),
  at(0x07, 4, 0, 0, HEADERS_BYTES),
  at(0x2d, 4, 3, 9, 0), //                        too short: go on
  at(0x69, 4, 2, ETHERTYPE_AT, 0),
  at(0x55, 4, 0, 7, ETHERTYPE_IPV4), //           not IPv4: go on
  at(0x71, 4, 2, PROTOCOL_AT, 0),
  at(0x55, 4, 0, 5, PROTOCOL_IPIP), //            not a tunnel's: go on
  at(0xbf, 1, 6, 0, 0),
  at(0xb7, 2, 0, 0, -OUTER_BYTES),
  at(0xb7, 3, 0, 0, ROOM_AT_MAC),
  at(0xb7, 4, 0, 0, ROOM_FIXED_GSO),
  at(0x85, 0, 0, 0, HELPER_ADJUST_ROOM),
  at(0xb7, 0, 0, 0, TCX_NEXT), //                 go on
  at(0x95, 0, 0, 0, 0),
];

/** Decapsulates what comes in through an interface, until this process ends; says how it is done. */
export async function decapsulate(interfaceName: string): Promise<"bpf" | "thread"> {
  try {
    attachIngress(interfaceName, PROGRAM);
    return "bpf";
  } catch (error) {
    const refused = error instanceof SystemError && ["EPERM", "ENOSYS", "EINVAL"].includes(error.code);
    if (!refused) throw error;
    await decapsulateAll(interfaceName);
    return "thread";
  }
}

/** Takes every kind of tunnel apart, by a thread; answers what it counts. */
export async function decapsulateAll(interfaceName: string): Promise<TunnelCounts> {
  const counts = TunnelCounts.create();
  await startThread(interfaceName, counts);
  return counts;
}

function startThread(interfaceName: string, counts: TunnelCounts): Promise<void> {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL("decapsulator.js", import.meta.url), { workerData: { interfaceName, stop, counts: counts.shared } });
  // The thread waits in system calls, which nothing can interrupt: it has to be told.
  process.once("exit", () => Atomics.store(stop, 0, 1));
  worker.unref();
  return new Promise((resolve, reject) => {
    worker.once("error", reject);
    worker.once("message", (device: string) => {
      const up = spawnSync("ip", ["link", "set", device, "up"], { encoding: "utf8" });
      if (up.status === 0) resolve();
      else reject(new Error(`ip link set ${device} up: ${up.stderr.trim()}`));
    });
  });
}
