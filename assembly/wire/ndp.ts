// Neighbour solicitations and advertisements, seen in place (RFC 4861 sections 4.3, 4.4 and 4.6.1): offsets in the ICMPv6
// message, and in the IPv6 header before it.

export const IP_HOPS: usize = 7;
export const IP_SOURCE: usize = 8;
export const IP_TARGET: usize = 24;
export const IP_BYTES: u32 = 40;
/** What has passed no router; nothing else is believed. */
export const HOPS_ON_LINK: u32 = 255;

export const NDP_CODE: usize = 1;
export const NDP_CHECKSUM: usize = 2;
export const NDP_FLAGS: usize = 4;
export const NDP_TARGET: usize = 8;
/** Where the options begin: each with its type, its length in eight bytes, and what it says. */
export const NDP_OPTIONS: usize = 24;
export const OPTION_LENGTH: usize = 1;
export const OPTION_MAC: usize = 2;
/** With one option, of a hardware address. */
export const NDP_BYTES: u32 = 32;

export const SOLICITATION: u32 = 135;
export const ADVERTISEMENT: u32 = 136;
/** Flags of an advertisement, as they lie in NDP_FLAGS: it was asked for; it replaces what was known. */
export const SOLICITED: u32 = 0x40;
export const OVERRIDE: u32 = 0x20;
export const OPTION_SOURCE_LINK: u32 = 1;
export const OPTION_TARGET_LINK: u32 = 2;
