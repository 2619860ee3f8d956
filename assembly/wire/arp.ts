// An ARP message over Ethernet about IPv4, seen in place (RFC 826). Offsets behind the Ethernet header; words in network order.

/** Kinds and lengths of both addresses: Ethernet, IPv4, six bytes, four. The operation follows in the same eight bytes. */
export const ARP_KIND: u64 = 0x0406000801 << 8;
export const ARP_KIND_MASK: u64 = 0x0000ffffffffffff;
export const ARP_OPERATION: usize = 6;
export const ARP_SENDER_MAC: usize = 8;
export const ARP_SENDER: usize = 14;
export const ARP_TARGET_MAC: usize = 18;
export const ARP_TARGET: usize = 24;
export const ARP_BYTES: u32 = 28;

export const ARP_REQUEST: u32 = 0x0100;
export const ARP_REPLY: u32 = 0x0200;
