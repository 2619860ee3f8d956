// Bulk by iperf3: one stream. Its two connections meet the same server because the service has only one.

import { readIperf } from "../../lib/iperf.js";
import { BULK_PORT } from "../hall.js";
import { output } from "../running.js";
import type { Measure } from "./measure.js";

// The server lets one client go only some time after it has gone.
const TRIES = 5;
const PAUSE_MS = 200;
const ROOM_MS = 5000;
/** One stream depends on who meets whom on which processor: its rates vary by a sixth. */
const ROUNDS = 2;

function bulk(name: string, about: string, figure: string, words: readonly string[]): Measure {
  return {
    name, about, figures: [{ name: figure, unit: "Gbit/s", scale: 1, isCost: false }], work: "GB", workScale: 1e9,
    tools: ["iperf3"], kind: "streams", rounds: ROUNDS,
    run: async (site, round) => {
      const all = ["iperf3", "-c", site.hall.virtual, "-p", String(BULK_PORT), "-t", String(round.seconds), "--connect-timeout", "2000", "--json", ...words];
      for (let tries = 1; ; tries++) {
        try {
          const report = readIperf(await output(round.laboratory.client, all, round.seconds * 1000 + ROOM_MS, round.signal));
          return { values: [report.gigabitsPerSecond], work: report.bytes };
        } catch (error) {
          if (tries === TRIES || !(error as Error).message.includes("busy")) throw error;
          await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
        }
      }
    },
  };
}

export const up = bulk("bulk", "one stream to the server", "bulk to the server", []);
export const down = bulk("bulk-down", "one stream to the client", "bulk to the client", ["--reverse"]);
