// All plays by name.

import type { Random } from "../random.js";
import { dialog } from "./ftp.js";
import { periods, views } from "./listings.js";
import { connections, datagrams } from "./nat.js";
import { allPorts, calls, marks, templates } from "./persistence.js";
import { choices, churn, SCHEDULERS } from "./schedulers.js";
import { associations } from "./sctp.js";
import { beginnings, defences, limits, reuse, routed, statistics, timeouts } from "./settings.js";
import type { Play } from "./talk.js";
import { direct, refused, tunnels } from "./tunnels.js";

export const PLAYS: Readonly<Record<string, (random: Random) => Play>> = {
  ...Object.fromEntries(SCHEDULERS.map((name) => [`churn_${name}`, (random: Random): Play => churn(random, name, 200)])),
  choices, churn: (random) => churn(random), connections, datagrams, tunnels, direct, refused, templates, allPorts, marks, calls,
  dialog, associations, limits, reuse, beginnings, defences, timeouts, statistics, views, periods, routed,
};
