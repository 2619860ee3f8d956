// A connection whose time is over while others live by it: it goes on, and a master tells of that.

import { Sysctl } from "../abi/enums";
import { Connection } from "../connection/connection";
import { sysctl } from "../sysctl";
import { isMaster } from "./daemon";
import { tellOthers } from "./export";

export function outlive(connection: Connection): void {
  connection.outlive();
  if (isMaster()) tellOthers(connection, sysctl(Sysctl.SyncThreshold));
}
