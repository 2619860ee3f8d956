// The programs a comparison needs: which are missing, and fetching them where that is allowed.

import { spawnSync } from "node:child_process";

/** Within nginx or beside it: its module that forwards TCP. */
const FIND_STREAM = "test -e /usr/lib/nginx/modules/ngx_stream_module.so || nginx -V 2>&1 | grep -q -- '--with-stream '";

/** By the program's name: how it shows itself, and Debian's package. */
const TOOLS = {
  wrk: { probe: ["wrk", "-v"], package: "wrk" },
  iperf3: { probe: ["iperf3", "--version"], package: "iperf3" },
  nginx: { probe: ["nginx", "-v"], package: "nginx-light" },
  stream: { probe: ["sh", "-c", FIND_STREAM], package: "libnginx-mod-stream" },
  haproxy: { probe: ["haproxy", "-v"], package: "haproxy" },
  nft: { probe: ["nft", "--version"], package: "nftables" },
  ethtool: { probe: ["ethtool", "--version"], package: "ethtool" },
  gcc: { probe: ["gcc", "--version"], package: "gcc" },
  headers: { probe: ["sh", "-c", "test -e /usr/include/linux/if_packet.h && test -e /usr/include/unistd.h"], package: "libc6-dev" },
  taskset: { probe: ["taskset", "--version"], package: "util-linux" },
  setpriv: { probe: ["setpriv", "--version"], package: "util-linux" },
} as const;

export type Tool = keyof typeof TOOLS;

const INSTALL_MS = 180_000;
// Where Debian puts what an ordinary user's PATH may lack.
process.env["PATH"] = `${process.env["PATH"] ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`;

// wrk answers its version with status 1: that it ran at all is the sign.
function isThere(tool: Tool): boolean {
  const [program, ...words] = TOOLS[tool].probe;
  const done = spawnSync(program, words, { stdio: "ignore" });
  return done.error === undefined && (program !== "sh" || done.status === 0);
}

function install(packages: readonly string[], say: (text: string) => void): void {
  if (process.getuid?.() !== 0 || spawnSync("apt-get", ["--version"], { stdio: "ignore" }).error) return;
  say(`installing ${packages.join(", ")} ...`);
  // No program of these packages shall be started as a service.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const run = (words: readonly string[]): void => { spawnSync("apt-get", ["-qq", ...words], { env, stdio: "ignore", timeout: INSTALL_MS }); };
  run(["update"]);
  // One at a time: one that cannot be had must not cost the others.
  for (const name of packages) run(["install", "-y", "--no-install-recommends", name]);
}

/** Fetches by apt what is missing, where root may; answers what is still missing, with its package. */
export function provide(tools: Iterable<Tool>, say: (text: string) => void): Map<Tool, string> {
  const wanted = [...new Set(tools)];
  const absent = wanted.filter((tool) => !isThere(tool));
  if (absent.length > 0) install([...new Set(absent.map((tool) => TOOLS[tool].package))], say);
  return new Map(absent.filter((tool) => !isThere(tool)).map((tool) => [tool, TOOLS[tool].package]));
}
