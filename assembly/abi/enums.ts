// The names both sides use for numbers in memory. Plain enums: both compilers fold them.

/** IP protocol numbers (IANA). */
export enum Protocol {
  HopByHop = 0,
  Icmp = 1,
  Igmp = 2,
  IpIp = 4,
  Tcp = 6,
  Udp = 17,
  Ipv6 = 41,
  Routing = 43,
  Fragment = 44,
  Gre = 47,
  Authentication = 51,
  Icmpv6 = 58,
  NoNext = 59,
  DestinationOptions = 60,
  Pim = 103,
  Sctp = 132,
  UdpLite = 136,
}

/** How a frame reaches its real server. The numbers are the kernel's. */
export enum Forward {
  Nat = 0,
  Local = 1,
  Tunnel = 2,
  Direct = 3,
  Bypass = 4,
}

export enum TunnelType {
  IpIp = 0,
  Gue = 1,
  Gre = 2,
}

export enum TunnelFlag {
  None = 0,
  Checksum = 1,
  RemoteChecksum = 2,
}

/** Flags of a service record. */
export enum ServiceFlag {
  Persistent = 1,
  OnePacket = 4,
  Flag1 = 8,
  Flag2 = 16,
  Flag3 = 32,
  /** Matched by firewall mark instead of address and port. */
  Fwmark = 64,
}

/** Flags of a server record. */
export enum ServerFlag {
  /** Listed in its service. Without it the record waits for its connections to end. */
  Available = 1,
  Overload = 2,
  /** Of direct routing: its way has been looked up since it was listed or edited. */
  Reached = 4,
  /** Nobody had told by then what its way carries: it keeps that way, whatever is told later. */
  KeepsWay = 8,
}

/** Flags of a connection record. The low three bits are its Forward. */
export enum ConnectionFlag {
  ForwardMask = 7,
  Ipv6 = 8,
  /** Counted as inactive at its server. */
  Inactive = 16,
  /** No packet of the server has been seen (DR and TUN: there will never be one). */
  NoOutput = 32,
  Template = 64,
  OnePacket = 128,
  /** The client's port is not yet known (FTP data). */
  NoClientPort = 256,
  /** Leaves the fast road: sequence deltas, helper, persistence engine. */
  Helped = 512,
  Hashed = 1024,
  /** Something is kept in its details: an address of IPv6, a mark, what hangs on it. */
  Detailed = 2048,
  /** Its client began anew: it ends at the next tick, and until then its server is still heard. */
  Retired = 4096,
  /** Three bits: which goodbye was last told to others, see sync/needed.ts. */
  ToldMask = 57344,
}

export enum Scheduler {
  Rr = 0,
  Wrr = 1,
  Lc = 2,
  Wlc = 3,
  Lblc = 4,
  Lblcr = 5,
  Dh = 6,
  Sh = 7,
  Sed = 8,
  Nq = 9,
  Fo = 10,
  Ovf = 11,
  Mh = 12,
  Twos = 13,
  /** Chooses nobody: connections there are go on, new ones are refused. */
  None = 14,
}

export enum TcpState {
  None = 0,
  Established = 1,
  SynSent = 2,
  SynRecv = 3,
  FinWait = 4,
  TimeWait = 5,
  Close = 6,
  CloseWait = 7,
  LastAck = 8,
  Listen = 9,
  SynAck = 10,
  Last = 11,
}

export enum UdpState {
  Normal = 0,
  Last = 1,
}

export enum SctpState {
  None = 0,
  Init1 = 1,
  Init = 2,
  CookieSent = 3,
  CookieReplied = 4,
  CookieWait = 5,
  Cookie = 6,
  CookieEchoed = 7,
  Established = 8,
  ShutdownSent = 9,
  ShutdownReceived = 10,
  ShutdownAckSent = 11,
  Rejected = 12,
  Closed = 13,
  Last = 14,
}

/** What an FTP client asked for last: only then is the server's answer looked at. */
export enum FtpMode {
  None = 0,
  Passive = 1,
  ExtendedPassive = 2,
}

/** State of a persistence template. */
export enum TemplateState {
  None = 0,
  Assured = 1,
}

/** What `control` can be asked to do. Arguments lie in the request record. */
export enum Operation {
  ServiceAdd = 1,
  ServiceEdit = 2,
  ServiceDelete = 3,
  ServerAdd = 4,
  ServerEdit = 5,
  ServerDelete = 6,
  Flush = 7,
  Zero = 8,
  TimeoutsSet = 9,
  SysctlSet = 10,
  PortSet = 11,
  LocalAdd = 12,
  LocalDelete = 13,
  RouteAdd = 14,
  RouteDelete = 15,
  NeighborAdd = 16,
  NeighborDelete = 17,
  MarkAdd = 18,
  MarkClear = 19,
  Announce = 20,
  ConnectionsDrop = 21,
  HelperPortsSet = 22,
  SyncStart = 23,
  SyncStop = 24,
}

/** Answers of `control` below zero; zero and above is success (an index where one was made). */
export enum ControlError {
  Invalid = -1,
  Exists = -2,
  NotFound = -3,
  NoService = -4,
  ServerExists = -5,
  NoServer = -6,
  NoScheduler = -7,
  Full = -8,
  Range = -9,
  Unsupported = -10,
  AddressFamily = -11,
}

/** Why a frame was dropped; the host shows the names. */
export enum DropReason {
  None = 0,
  /** Shorter than its own headers say. */
  Truncated = 1,
  /** IP version, header length or total length make no sense. */
  BadHeader = 2,
  IpChecksum = 3,
  /** Wrong in a packet that is for the director itself, or whose text a helper has to read. */
  TransportChecksum = 4,
  /** Not for a hardware address of ours. */
  OtherHost = 5,
  /** Neither ARP nor IPv4 nor IPv6. */
  EtherType = 6,
  /** A source address no packet may come from (RFC 1812 section 5.3.7). */
  Martian = 7,
  TimeToLive = 8,
  TooBig = 9,
  NoRoute = 10,
  /** The neighbour did not answer, or too many frames wait for it. */
  NeighborUnreachable = 11,
  /** No server of the service is free; the client is told. */
  NoServer = 12,
  /** The connection's server was removed. */
  ServerGone = 13,
  ConnectionTableFull = 14,
  ReassemblyFull = 15,
  ReassemblyTimeout = 16,
  FragmentOverlap = 17,
  FragmentBad = 18,
  /** The engine has no frame left to answer or forward with. */
  NoBuffer = 19,
  /** The transmit list of this batch is full. */
  TransmitFull = 20,
  ArpBad = 21,
  IcmpBad = 22,
  /** For the director itself, with nobody to answer (consumed, as a host's stack does). */
  LocalConsumed = 23,
  NdBad = 24,
  /** A real server's packet without a connection, answered because of nat_icmp_send. */
  NoConnection = 25,
  /** Shed by the drop_packet defence. */
  DropPacket = 26,
  PortDown = 27,
  ExtraFull = 28,
  Broadcast = 29,
  /** Answering an error with an error is forbidden (RFC 1122 section 3.2.2). */
  ErrorSilenced = 30,
  SegmentBad = 31,
  /** A helper's change would not fit the frame's slot. */
  HelperBad = 32,
  TunnelSelf = 33,
  VnetBad = 34,
  ForwardingFailed = 35,
  /** It belongs to another worker, whose ring is full. */
  HandoverFull = 36,
  /** A sync message that is not sound: nothing after the bad place was taken. */
  SyncBad = 37,
  /** A sync message of another sync id. */
  SyncForeign = 38,
  /** One record of a sync message: its protocol, state or persistence engine is not known here. */
  SyncRefused = 39,
  /** A sync message of ours for which the queue had no room. */
  SyncQueueFull = 40,
  /** Another host says by ARP or neighbour discovery that it has an address of the director's. */
  AddressConflict = 41,
  Last = 42,
}

/** Flags of a port record. */
export enum PortFlag {
  Up = 1,
  /** Frames carry a virtio header in the ten bytes before them. */
  Vnet = 2,
  /** May send segments to be cut by the device (TSO). */
  Segments = 4,
  /** Leads to the director's own kernel (local node). */
  Host = 8,
}

/** Flags of a frame in a receive or transmit list. */
export enum FrameFlag {
  None = 0,
  /** The ten bytes before the frame are a virtio header. */
  Vnet = 1,
  /** The frame lies in an engine's slot, not in one the host gave. */
  Own = 2,
}

/** What a record of a ring between workers is. */
export enum Handed {
  /** Nothing: the next record is at the ring's beginning. */
  Skip = 0,
  Frame = 1,
  /** A datagram put together from fragments: its Packet, whose bytes stay in their reassembly record. */
  Datagram = 2,
  // What another worker asks for about a connection that only its owner may change.
  /** A client's PORT named it again: it listens anew. */
  Listen = 3,
  /** A connection it controlled was dropped before its time: it goes too, unless others need it. */
  Drop = 4,
  /** A connection it controlled has lost its server: it goes as soon as nothing lives by it. */
  Abandon = 5,
}

/** Kernel settings below net.ipv4.vs, by the order of their words in the sysctl region. */
export enum Sysctl {
  AmDroprate = 0,
  Amemthresh = 1,
  CacheBypass = 2,
  ConnReuseMode = 3,
  Conntrack = 4,
  DropEntry = 5,
  DropPacket = 6,
  ExpireNodestConn = 7,
  ExpireQuiescentTemplate = 8,
  IgnoreTunneled = 9,
  LblcExpiration = 10,
  LblcrExpiration = 11,
  NatIcmpSend = 12,
  PmtuDisc = 13,
  RunEstimation = 14,
  ScheduleIcmp = 15,
  SecureTcp = 16,
  SloppySctp = 17,
  SloppyTcp = 18,
  SnatReroute = 19,
  BackupOnly = 20,
  SyncThreshold = 21,
  /** The second number of sync_threshold. */
  SyncPeriod = 22,
  SyncRefreshPeriod = 23,
  SyncRetries = 24,
  SyncQlenMax = 25,
  SyncPorts = 26,
  SyncPersistMode = 27,
  SyncVersion = 28,
  SyncSockSize = 29,
  /** Kept for who reads it back; the engine does not log. */
  DebugLevel = 30,
  Last = 31,
}

/** Which addresses a record of the director's own stands for. */
export enum LocalKind {
  /** One address of the director's. */
  Address = 0,
  /** A whole subnet of them (`ip route add local NET dev lo`). */
  Whole = 1,
  /** A subnet of others' that is taken in for firewall marks, as before caches (the same in a policy route's table). */
  Transparent = 2,
}

/** State of a neighbour record. */
export enum NeighborState {
  Free = 0,
  /** Asked for, no answer yet. */
  Incomplete = 1,
  Reachable = 2,
  /** Set by the operator, never asked for. */
  Permanent = 3,
  /** Told us its address unasked; nobody has sent to it yet. */
  Heard = 4,
}

/** Which sync daemon a request is about; the numbers are the kernel's. */
export enum SyncRole {
  Master = 1,
  Backup = 2,
}

/** How far a sync message in the queue has come. */
export enum SyncRecord {
  /** Nothing: the next record is at the queue's beginning. */
  Skip = 0,
  /** Connections are still added. */
  Open = 1,
  Queued = 2,
  /** Listed for sending; its place is free with the next flush. */
  Sent = 3,
}
