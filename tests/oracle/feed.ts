// A takeover on two directors: our master tells, and what it told is put before a second one, a kernel or ours.

import type { Emitted } from "../fuzz/generator.js";
import { addressBytes, ethernet, ipPacket, UDP, udpDatagram } from "../fuzz/packets.js";
import type { Play } from "../fuzz/plays/talk.js";
import type { Step } from "./kernel/recorder.js";
import { perform, playOn } from "./perform.js";
import { createRecordedDirector } from "./recording.js";

export interface FeedOptions {
  /** sync_version of the master. */
  version: 0 | 1;
  /** sync_threshold of the master: "0 1" tells of every packet. */
  threshold: string;
}

const GROUP = "224.0.0.81";
const GROUP_MAC = "01:00:5e:00:00:51";
const SYNC_PORT = 8848;
const MESSAGE_AT = 42;
/** Another director than the recordings' own, on the same segment. */
const MASTER = "10.0.1.2";
const MASTER_MAC = "02:00:00:00:01:02";
/** Where our master's messages come from. */
const SOURCE_PORT = 49152;
/** A message leaves two seconds after its first entry; the kernel's backup takes it at once. */
const LAST_SECONDS = 4;
const LISTED_EVERY = 8;
const TOLD_LISTINGS = ["ipvsadm -Lnc --persistent-conn", "ipvsadm -Ln", "cat /proc/net/ip_vs_conn_sync"];

const isMessage = (bytes: Uint8Array): boolean => bytes[0] === 1 && Buffer.from(bytes.subarray(30, 34)).equals(addressBytes(GROUP));

/** A message of the engine's as another director would send it. */
function relayed(bytes: Uint8Array): Step {
  const ends = { source: MASTER, sourcePort: SOURCE_PORT, target: GROUP, targetPort: SYNC_PORT };
  const packet = ipPacket({ source: MASTER, target: GROUP, protocol: UDP, ttl: 1, payload: udpDatagram(ends, Buffer.from(bytes.subarray(MESSAGE_AT))) });
  return { ev: "in", if: "out", hex: ethernet(GROUP_MAC, MASTER_MAC, packet).toString("hex") };
}

/** What an operator says to both directors: services and where marks come from, no listings, no daemons. */
function forBoth(script: string): string {
  return script.split("; ").filter((line) => /^(ipvsadm -[AEDaed] |ip6?tables|ip |sysctl -w net.ipv4.vs.(?!sync))/.test(line)).join("; ");
}

/** Plays to our master; answers what the second director is to be given: the operator's words, time, and messages. */
export async function feedOf(before: Play, { version, threshold }: FeedOptions): Promise<Step[]> {
  const replay = await createRecordedDirector();
  const steps: Step[] = [{ ev: "cmd", cmd: "ipvsadm --start-daemon backup --mcast-interface out --syncid 7" }];
  for (const setting of [`sync_version=${version}`, `sync_threshold="${threshold}"`]) {
    await perform(replay, { ev: "cmd", cmd: `sysctl -w net.ipv4.vs.${setting}` });
  }
  await perform(replay, { ev: "cmd", cmd: "ipvsadm --start-daemon master --mcast-interface out --syncid 7" });
  let told = 0;
  const follow = (step: Step, sent: Emitted[]): Emitted[] => {
    if (step.ev === "advance") steps.push(step);
    else if (step.ev === "cmd" && forBoth(step.cmd) !== "") steps.push({ ev: "cmd", cmd: forBoth(step.cmd) });
    for (const { bytes } of sent) {
      if (!isMessage(bytes)) continue;
      steps.push(relayed(bytes));
      if (++told % LISTED_EVERY === 0) for (const cmd of TOLD_LISTINGS) steps.push({ ev: "cmd", cmd });
    }
    return sent.filter((one) => !isMessage(one.bytes));
  };
  await playOn(replay, before, follow);
  const last: Step = { ev: "advance", s: LAST_SECONDS };
  follow(last, (await perform(replay, last)).sent);
  for (const cmd of TOLD_LISTINGS) steps.push({ ev: "cmd", cmd });
  return steps;
}
