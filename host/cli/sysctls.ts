// Kernel settings below net.ipv4.vs that have no meaning here, and why. They can be read nowhere and set nowhere.

const SYNC = "this director has no connection sync daemon";
const ESTIMATOR = "rates are estimated by the engine itself, by no kernel thread";

export const ABSENT: Readonly<Record<string, string>> = {
  backup_only: SYNC,
  conntrack: "packets do not pass a kernel's connection tracking",
  debug_level: "the engine does not log; drop reasons are in `lvsadm status`",
  est_cpulist: ESTIMATOR,
  est_nice: ESTIMATOR,
  ignore_tunneled: "the engine takes no tunnel apart: what comes out of one is the kernel's and does not pass here again",
  snat_reroute: "every answer is routed by its own destination already",
  sync_persist_mode: SYNC,
  sync_ports: SYNC,
  sync_qlen_max: SYNC,
  sync_refresh_period: SYNC,
  sync_retries: SYNC,
  sync_sock_size: SYNC,
  sync_threshold: SYNC,
  sync_version: SYNC,
};
