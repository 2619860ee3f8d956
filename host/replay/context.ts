// What the commands of a scenario work on: the director, its network, and texts they keep.

import type { LocalKind } from "../../assembly/abi/enums.js";
import type { Director } from "../protocol.js";

export interface ShellContext {
  director: Director;
  /** Texts that commands have written, by name; they outlive the command. */
  files: Map<string, string>;
  network: NetworkChanges;
}

/** Each answers false when the director refuses it, or knows no such port. */
export interface NetworkChanges {
  setMtu(port: string, mtuBytes: number): Promise<boolean>;
  addAddress(port: string, prefix: string): Promise<boolean>;
  addNeighbor(port: string, address: string, mac: string): Promise<boolean>;
  addRoute(port: string, prefix: string, gateway: string | undefined): Promise<boolean>;
  /** Takes in a whole subnet: the director's own, or others'. */
  addLocalSubnet(prefix: string, kind: LocalKind.Whole | LocalKind.Transparent): Promise<boolean>;
  /** Forgets every rule that marks packets. */
  clearMarks(): Promise<void>;
}
