// What other workers ask about connections of ours.

import { HANDED_KIND } from "../abi/layout";
import { Handed } from "../abi/enums";
import { Connection } from "../connection/connection";
import { abandonConnection, dropUnneeded } from "../connection/open";
import { listenAnew } from "../helper/ftp";
import { lock, unlock } from "../memory";
import { askedFor } from "./request";

/** Does what a record of the ring asks, if its connection is still there. */
export function heed(record: usize): void {
  lock();
  let index = askedFor(record);
  if (index != 0) {
    switch (<i32>load<u32>(record, HANDED_KIND)) {
      case Handed.Listen:
        listenAnew(Connection.at(index));
        break;
      case Handed.Drop:
        dropUnneeded(index);
        break;
      default:
        if (Connection.at(index).children == 0) abandonConnection(index);
    }
  }
  unlock();
}
