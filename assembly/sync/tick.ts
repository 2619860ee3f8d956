// What time does for the sync daemons: a master's messages leave, a backup's group hears of its member.

import { worker } from "../memory";
import { isBackup, isMaster } from "./daemon";
import { reportMembership } from "./membership";
import { flushMessages } from "./queue";

export function syncTick(): void {
  if (isMaster()) flushMessages();
  if (worker == 0 && isBackup()) reportMembership();
}
