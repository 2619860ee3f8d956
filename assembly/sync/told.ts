// What one entry of a sync message says, taken apart, whatever the message's version.

import { STATE_SYNC_TOLD, TOLD_BYTES } from "../abi/layout";
import { state } from "../memory";

export const ENGINE_IS_SIP: u32 = 1;
export const ENGINE_UNKNOWN: u32 = 2;

@unmanaged
export class Told {
  clientHigh: u64; //   0  addresses of 16 bytes
  clientLow: u64; //    8
  virtualHigh: u64; // 16
  virtualLow: u64; //  24
  serverHigh: u64; //  32
  serverLow: u64; //   40
  clientPort: u16; //  48  network order
  virtualPort: u16; // 50
  serverPort: u16; //  52
  family: u8; //       54  4, 6
  protocol: u8; //     55
  flags: u32; //       56  WireFlag
  state: u32; //       60
  fwmark: u32; //      64
  timeoutS: u32; //    68  0: as the state has it
  sequences: u32; //   72  where two sequences lie, 0 nowhere
  text: u32; //        76  where a persistence engine's text lies, 0 nowhere
  textBytes: u32; //   80
  engine: u32; //      84  0 none, ENGINE_IS_SIP, ENGINE_UNKNOWN
  isNative: u32; //    88  1: the sequences are in the sender's own byte order
  spare0: u32; //      92
  spare1: u64; //      96

  /** There is one at a time. */
  static here(): Told {
    return changetype<Told>(state + STATE_SYNC_TOLD);
  }
  get client(): usize {
    return changetype<usize>(this);
  }
  get virtual(): usize {
    return changetype<usize>(this) + 16;
  }
  get server(): usize {
    return changetype<usize>(this) + 32;
  }
  clearOptions(): void {
    this.sequences = this.text = this.textBytes = this.engine = this.isNative = 0;
  }
}
if (offsetof<Told>() != TOLD_BYTES) ERROR("Told no longer fills TOLD_BYTES");
if (offsetof<Told>("serverHigh") != 32) ERROR("server moved");
