// The two forms of a sync message, all numbers in network order.
//
// Version 1 begins with eight bytes, its entries from multiples of four:
//    0 | 0 | sync id | bytes, u16 | entries | 1 | 0, u16 |
// and an entry, with addresses of 4 or 16 bytes, perhaps followed by options (kind, bytes, data):
//    0 | 1: IPv6 | protocol | version (4 bits), bytes (12) |
//    4 | flags, u32 | state, u16 | client, virtual, server port |
//   16 | mark, u32 | timeout s, u32 | client, virtual, server address | options |
//
// Version 0 begins with four bytes:
//    0 | entries | sync id | bytes, u16 |
// and an entry, always of IPv4, perhaps followed by the 24 bytes of two sequences:
//    0 | 0 | protocol | client, virtual, server port | client, virtual, server address | flags, u16 | state, u16 |

export const HEADER_BYTES: u32 = 8;
export const OLD_HEADER_BYTES: u32 = 4;
export const ENTRY_BYTES_4: u32 = 36;
export const ENTRY_BYTES_6: u32 = 72;
export const OLD_ENTRY_BYTES: u32 = 24;
export const ADDRESSES_AT: u32 = 24;

export const TYPE_IPV6: u32 = 1;
export const ENTRY_BYTES_MASK: u32 = 0x0fff;

/**
 * Two sequences of three words: the client's, then the server's. Each: place, shift after it, shift up to it. In version 0 these
 * are in the kernel's own order, little end first (as recorded: feeds/shifted-1-v0).
 */
export const SEQUENCES_BYTES: u32 = 24;

export const OPTION_SEQUENCES: u32 = 1;
export const OPTION_TEXT: u32 = 2;
export const OPTION_ENGINE: u32 = 3;
/** An option with this bit may be passed over by who does not know it. */
export const OPTION_OPTIONAL: u32 = 0x40;

/** Flags of an entry, the kernel's; the lowest three bits are the forwarding method. */
export enum WireFlag {
  Method = 0x07,
  Synced = 0x20,
  NoOutput = 0x80,
  Inactive = 0x100,
  ServerSequence = 0x200,
  ClientSequence = 0x400,
  NoClientPort = 0x800,
  Template = 0x1000,
  /** The kernel's connection tracking is left out: all that a helper watches over. */
  Helped = 0x10000,
}

/** The longest name of a persistence engine. */
export const ENGINE_NAME_MAX: u32 = 16;

/** "sip" in the lowest three bytes, as a word is loaded. */
export const ENGINE_SIP: u32 = 0x706973;
export const ENGINE_SIP_BYTES: u32 = 3;
