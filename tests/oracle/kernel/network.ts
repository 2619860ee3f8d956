// The script that gives a guest the network of a configuration file: the one the engine reads as well.

import type { Config, PortConfig } from "../../../host/config/config.js";

const family = (address: string): string => (address.includes(":") ? "-6" : "-4");

/** No rate limits and nothing at random: the guest shall answer each frame alike, every time. */
const SETTINGS = [
  "net/ipv4/ip_forward=1", "net/ipv6/conf/all/forwarding=1",
  "net/ipv4/conf/all/send_redirects=0", "net/ipv4/conf/default/send_redirects=0",
  "net/ipv4/conf/all/rp_filter=0", "net/ipv4/conf/default/rp_filter=0",
  "net/ipv4/icmp_ratelimit=0", "net/ipv4/icmp_msgs_per_sec=100000", "net/ipv4/icmp_msgs_burst=100000", "net/ipv6/icmp/ratelimit=0",
  "net/ipv6/auto_flowlabels=0",
  // Tracking, which FTP behind NAT needs, would look at checksums where cards mostly have: IPVS then drops what an IPv6
  // client says. What was tracked in the scenario before must not outlive a reset.
  "net/netfilter/nf_conntrack_checksum=0", "net/netfilter/nf_conntrack_tcp_timeout_established=3600",
];
const PORT_SETTINGS = [
  "ipv6/conf/PORT/accept_dad=0", "ipv6/conf/PORT/accept_ra=0", "ipv6/conf/PORT/router_solicitations=0",
  "ipv6/conf/PORT/addr_gen_mode=1", "ipv4/conf/PORT/send_redirects=0", "ipv4/conf/PORT/rp_filter=0",
  "ipv4/conf/PORT/shared_media=0",
];

const write = (setting: string): string => {
  const [path, value] = setting.split("=");
  return `echo ${value} >/proc/sys/${path}`;
};

function portLines(port: PortConfig): string[] {
  return [
    `ip link set vec${port.index - 1} name ${port.name}`,
    ...PORT_SETTINGS.map((setting) => write(`net/${setting.replace("PORT", port.name)}`)),
    `ip link set ${port.name} up mtu ${port.mtu}`,
    // Frames held back to be joined with later ones would overtake each other.
    `ethtool -K ${port.name} gro off`,
  ];
}

/**
 * Every neighbour is permanent: no guest ever asks for one. IPv6's gateways are known as routers: what was told of a path behind
 * one that is not, a kernel forgets within half a minute.
 */
function batchLines(config: Config): string[] {
  const isRouter = (address: string): boolean => address.includes(":") && config.routes.some((one) => one.via === address);
  const name = (index: number): string => config.ports.find((port) => port.index === index)?.name ?? "";
  return [
    ...config.ports.flatMap((port) => port.addresses.map((address) => `addr add ${address} dev ${port.name}${address.includes(":") ? " nodad" : ""}`)),
    ...config.neighbors.map((one) => `neigh add ${one.address} lladdr ${one.mac} dev ${name(one.port)} nud permanent${isRouter(one.address) ? " router" : ""}`),
    ...config.routes.map((one) => `route add ${one.to}${one.via === undefined ? "" : ` via ${one.via}`} dev ${name(one.port)}`),
  ];
}

/** IPVS with the helpers and schedulers that the engine always has: a module that comes when it is asked for costs a command its time. */
const SCHEDULERS = ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh"];
const LOAD_IPVS = `modprobe -a ip_vs ip_vs_ftp ip_vs_pe_sip ${SCHEDULERS.map((name) => `ip_vs_${name}`).join(" ")}`;

/** Every setting of IPVS as FILE:VALUE. */
export const SETTINGS_LISTING = "grep . /proc/sys/net/ipv4/vs/*";

/** Takes away services, settings and learned routes. Connections end with time alone: let it pass. */
export function clearPrograms(config: Config, settings: ReadonlyMap<string, string>): string[][] {
  return [
    ["ipvsadm", "-C"], ["ipvsadm", "-Z"], ["ipvsadm", "--set", "900", "120", "300"],
    ...[...settings].map(([file, value]) => ["put", file, value]),
    ...config.ports.map(({ name, mtu }) => ["put", `/sys/class/net/${name}/mtu`, String(mtu)]),
    ["put", "/proc/sys/net/ipv4/route/flush", "1"], ["put", "/proc/sys/net/ipv6/route/flush", "1"],
  ];
}

/** True for what `clearPrograms` does not take back: addresses, and defences that remember how bad it was. */
export const needsReload = (script: string): boolean => /\bip (?!link set \w+ mtu)|modprobe|rmmod|drop_|secure_tcp|amemthresh/.test(script);

/** True for what `forgetMarks` takes back. */
export const setsMarks = (script: string): boolean => /ip6?tables/.test(script);

/** Takes away marks. */
export const forgetMarks = [
  "if read table </proc/net/ip_tables_names; then iptables-legacy -t mangle -F; fi 2>/dev/null",
  "if read table </proc/net/ip6_tables_names; then ip6tables-legacy -t mangle -F; fi 2>/dev/null",
].join("\n");

/** Loads the modules of IPVS anew, which empties all it has. */
export function reloadScript(config: Config): string {
  return [
    "ipvsadm -C",
    ...config.ports.map(({ name, mtu }) => `ip link set ${name} mtu ${mtu}`),
    // A connection that is just being freed may hold its scheduler for a moment.
    "for round in 1 2 3 4; do",
    "  rmmod $(grep -o '^ip_vs_[a-z_]*' /proc/modules) ip_vs 2>/dev/null",
    "  grep -q '^ip_vs' /proc/modules || break",
    "done",
    `! grep -q '^ip_vs' /proc/modules && ${LOAD_IPVS}`,
  ].join("\n");
}

export function networkScript(config: Config): string {
  return [
    "set -e", LOAD_IPVS, ...SETTINGS.map(write), "ip link set lo up", ...config.ports.flatMap(portLines),
    "ip -batch - <<'END'",
    ...batchLines(config),
    "END",
  ].join("\n");
}
