// The words operators read, for the numbers in memory.

import { ControlError, Forward, NeighborState, Protocol, Scheduler, SctpState, Sysctl, TcpState, TunnelType } from "../../assembly/abi/enums.js";
import type { ControlFailure, ForwardName, ServiceProtocol, TunnelName } from "../protocol.js";

/** What a refusal is called on the wire. Leaving one out is a type error. */
export const FAILURES: Record<ControlError, ControlFailure> = {
  [ControlError.Invalid]: "invalid",
  [ControlError.Exists]: "exists",
  [ControlError.NotFound]: "not-found",
  [ControlError.NoService]: "no-service",
  [ControlError.ServerExists]: "server-exists",
  [ControlError.NoServer]: "no-server",
  [ControlError.NoScheduler]: "no-scheduler",
  [ControlError.Full]: "full",
  [ControlError.Range]: "range",
  [ControlError.Unsupported]: "unsupported",
  [ControlError.AddressFamily]: "address-family",
};

export const FORWARD_NAMES: Record<number, ForwardName> = {
  [Forward.Nat]: "masq", [Forward.Local]: "local", [Forward.Tunnel]: "tunnel", [Forward.Direct]: "route",
};

export const TUNNEL_NAMES: Record<number, TunnelName> = {
  [TunnelType.IpIp]: "ipip", [TunnelType.Gue]: "gue", [TunnelType.Gre]: "gre",
};

export const PROTOCOL_NAMES: Record<number, ServiceProtocol> = {
  0: "fwmark", [Protocol.Tcp]: "tcp", [Protocol.Udp]: "udp", [Protocol.Sctp]: "sctp",
};

export function schedulerName(scheduler: number): string {
  return (Scheduler[scheduler] ?? "").toLowerCase();
}

/** "AmDroprate" as the kernel writes it: am_droprate. */
function kernelName(name: string): string {
  return name.replace(/(?<!^)([A-Z])/g, "_$1").toLowerCase();
}

/** Kernel settings by name. The second number of sync_threshold has no name of its own. */
export const SYSCTLS: ReadonlyMap<string, Sysctl> = new Map(
  Array.from({ length: Sysctl.Last }, (_, index): [string, Sysctl] => [kernelName(Sysctl[index] ?? ""), index])
    .filter(([, sysctl]) => sysctl !== Sysctl.SyncPeriod));

/** Settings that the engine moves itself: at 1 a defence waits to be needed, and is at 2 while it is. */
export const DEFENCES: ReadonlySet<string> = new Set([Sysctl.DropEntry, Sysctl.DropPacket, Sysctl.SecureTcp].map((sysctl) => kernelName(Sysctl[sysctl] ?? "")));

/** Reasons frames are dropped for, in words with hyphens: "connection-table-full". */
export function dropName(name: string): string {
  return name.replace(/(?<!^)([A-Z])/g, "-$1").toLowerCase();
}

const TCP_TEXTS: Record<number, string> = {
  [TcpState.None]: "NONE", [TcpState.Established]: "ESTABLISHED", [TcpState.SynSent]: "SYN_SENT",
  [TcpState.SynRecv]: "SYN_RECV", [TcpState.FinWait]: "FIN_WAIT", [TcpState.TimeWait]: "TIME_WAIT",
  [TcpState.Close]: "CLOSE", [TcpState.CloseWait]: "CLOSE_WAIT", [TcpState.LastAck]: "LAST_ACK",
  [TcpState.Listen]: "LISTEN", [TcpState.SynAck]: "SYNACK",
};

const SCTP_TEXTS: Record<number, string> = {
  [SctpState.None]: "NONE", [SctpState.Init1]: "INIT1", [SctpState.Init]: "INIT", [SctpState.CookieSent]: "C-SENT",
  [SctpState.CookieReplied]: "C-REPLIED", [SctpState.CookieWait]: "C-WAIT", [SctpState.Cookie]: "COOKIE",
  [SctpState.CookieEchoed]: "C-ECHOED", [SctpState.Established]: "ESTABLISHED", [SctpState.ShutdownSent]: "S-SENT",
  [SctpState.ShutdownReceived]: "S-RECEIVED", [SctpState.ShutdownAckSent]: "S-ACK-SENT", [SctpState.Rejected]: "REJECTED",
  [SctpState.Closed]: "CLOSED",
};

/** A connection's protocol as listings show it. */
export function protocolText(protocol: number): string {
  return protocol === 0 ? "IP" : Protocol[protocol]?.toUpperCase() ?? `IP_${protocol}`;
}

/** A connection's state as listings show it; templates are NONE until a client has been seen to be real. */
export function stateText(protocol: number, state: number, isTemplate: boolean): string {
  if (isTemplate) return ["NONE", "ASSURED"][state] ?? "ERR!";
  if (protocol === Protocol.Tcp) return TCP_TEXTS[state] ?? "ERR!";
  if (protocol === Protocol.Udp) return state === 0 ? "UDP" : "ERR!";
  if (protocol === Protocol.Sctp) return SCTP_TEXTS[state] ?? "ERR!";
  return "NONE";
}

export const NEIGHBOR_TEXTS: Record<number, string> = {
  [NeighborState.Incomplete]: "asked", [NeighborState.Reachable]: "reachable",
  [NeighborState.Permanent]: "permanent", [NeighborState.Heard]: "heard",
};
