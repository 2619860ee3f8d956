// One connection as it lies in the memory: its record, its details when it has any, the text it is found by.

import {
  CONNECTION_CHILDREN, CONNECTION_CLIENT, CONNECTION_CLIENT16, CONNECTION_CLIENT_PORT, CONNECTION_EXTRA, CONNECTION_FLAGS,
  CONNECTION_LAST_MS, CONNECTION_PROTOCOL, CONNECTION_SERVER16, CONNECTION_SERVER_ADDRESS, CONNECTION_SERVER_PORT, CONNECTION_STATE,
  CONNECTION_SYNCED, CONNECTION_TIMEOUT_MS, CONNECTION_VIRTUAL, CONNECTION_VIRTUAL16, CONNECTION_VIRTUAL_PORT, CONTROL_BASE,
  CONTROL_TICK_MS, EXTRAS_BASE, EXTRA_BYTES, EXTRA_NEXT, EXTRA_TEXT, EXTRA_TEXT_BYTES, SYNCED_BY_OTHERS,
} from "../../assembly/abi/layout.js";
import { ConnectionFlag, Forward, Protocol } from "../../assembly/abi/enums.js";
import { CONTROL_RETRY_MS } from "../../assembly/abi/limits.js";
import type { ConnectionRow, Family } from "../protocol.js";
import { formatAddress, isMapped, mapAddress } from "./address.js";
import { protocolText, stateText } from "./names.js";

const ADDRESS_BYTES = 16;
const SHORT_BYTES = 4;

export class ConnectionRecord {
  /** The one at a place of the memory. */
  constructor(private readonly view: DataView, private readonly at: number) {}

  private word(address: number): number {
    return this.view.getUint32(address, true);
  }

  get flags(): number {
    return this.view.getUint16(this.at + CONNECTION_FLAGS, true);
  }

  has(flag: ConnectionFlag): boolean {
    return (this.flags & flag) !== 0;
  }

  /** A word of its details; 0 when it has none. */
  private detail(place: number): number {
    return this.has(ConnectionFlag.Detailed) ? this.word(this.at + place) : 0;
  }

  /** Connections that this one controls. */
  get children(): number {
    return this.detail(CONNECTION_CHILDREN);
  }

  /** An address in its long form: from its details, or else from the word in its record. */
  private address(short: number, long: number): Uint8Array {
    if (!this.has(ConnectionFlag.Detailed)) return mapAddress(new Uint8Array(this.view.buffer, this.at + short, SHORT_BYTES));
    return new Uint8Array(this.view.buffer, this.at + long, ADDRESS_BYTES).slice();
  }

  /** True behind NAT, of TCP: where a helper may change what is said. */
  get isHelpable(): boolean {
    const isNat = (this.flags & ConnectionFlag.ForwardMask) === Forward.Nat;
    return isNat && !this.has(ConnectionFlag.Template) && this.view.getUint8(this.at + CONNECTION_PROTOCOL) === Protocol.Tcp;
  }

  get virtualPort(): number {
    return this.view.getUint16(this.at + CONNECTION_VIRTUAL_PORT);
  }

  /** As it is listed. */
  row(nowMs: number): ConnectionRow {
    const { at, view } = this;
    const family: Family = this.has(ConnectionFlag.Ipv6) ? 6 : 4;
    const server = this.address(CONNECTION_SERVER_ADDRESS, CONNECTION_SERVER16);
    const serverFamily: Family = isMapped(server) ? 4 : 6;
    const protocol = view.getUint8(at + CONNECTION_PROTOCOL);
    const isTemplate = this.has(ConnectionFlag.Template);
    return {
      family, protocol: protocolText(protocol), state: stateText(protocol, view.getUint8(at + CONNECTION_STATE), isTemplate),
      expiresSeconds: Math.floor(this.leftMs(nowMs) / 1000),
      clientAddress: formatAddress(family, this.address(CONNECTION_CLIENT, CONNECTION_CLIENT16)), clientPort: view.getUint16(at + CONNECTION_CLIENT_PORT),
      virtualAddress: formatAddress(family, this.address(CONNECTION_VIRTUAL, CONNECTION_VIRTUAL16)), virtualPort: this.virtualPort,
      serverFamily, serverAddress: formatAddress(serverFamily, server), serverPort: view.getUint16(at + CONNECTION_SERVER_PORT),
      ...this.note(isTemplate ? this.detail(CONNECTION_EXTRA) : 0),
      synced: (view.getUint16(at + CONNECTION_SYNCED, true) & SYNCED_BY_OTHERS) !== 0,
    };
  }

  /** The text a template is found by, and the persistence engine that reads such texts. */
  private note(extra: number): { persistenceEngine: string; persistenceData: string } {
    if (extra === 0) return { persistenceEngine: "", persistenceData: "" };
    const bytes = this.view.getUint8(EXTRAS_BASE + extra * EXTRA_BYTES + EXTRA_TEXT_BYTES);
    let text = "";
    for (let part = extra, offset = EXTRA_TEXT; text.length < bytes; offset = 0) {
      const at = EXTRAS_BASE + part * EXTRA_BYTES;
      const end = Math.min(EXTRA_NEXT, offset + bytes - text.length);
      text += String.fromCharCode(...new Uint8Array(this.view.buffer, at + offset, end - offset));
      part = this.word(at + EXTRA_NEXT);
    }
    return { persistenceEngine: "sip", persistenceData: text };
  }

  /** Until its timer ends. Where others live by the connection it begins again, as Connection.outlive() has it. */
  private leftMs(nowMs: number): number {
    const elapsedMs = (nowMs - this.word(this.at + CONNECTION_LAST_MS)) | 0;
    const leftMs = this.word(this.at + CONNECTION_TIMEOUT_MS) - Math.max(0, elapsedMs);
    if (leftMs > 0) return leftMs;
    // With a kernel's timers it may be about to go off, late.
    return this.children === 0 || this.word(CONTROL_BASE + CONTROL_TICK_MS) !== 0 ? 0 : CONTROL_RETRY_MS - (-leftMs % CONTROL_RETRY_MS);
  }
}
