// Directors that end the client's connection and open one of their own to a server.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { family } from "../cpu.js";
import { BULK_PORT, useKernelAddresses, WEB_PORT, type Hall } from "../hall.js";
import { Running } from "../running.js";
import type { Contestant, Standing } from "./director.js";

const PROXY = fileURLToPath(new URL("pipe.js", import.meta.url));
const THREADS = 2;
const STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so";

const first = (hall: Hall): string => hall.servers[0]?.address ?? "";

function haproxyConfig(hall: Hall): string {
  const servers = hall.servers.map(({ address }, index) => `  server s${index + 1} ${address}:${WEB_PORT}`).join("\n");
  return `global
  nbthread ${THREADS}
  maxconn 8192
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen web
  bind ${hall.virtual}:${WEB_PORT}
  balance roundrobin
${servers}
listen bulk
  bind ${hall.virtual}:${BULK_PORT}
  server s1 ${first(hall)}:${BULK_PORT}
`;
}

function nginxConfig(hall: Hall): string {
  return `load_module ${STREAM_MODULE};
daemon off;
worker_processes ${THREADS};
error_log /dev/null;
pid ${join(hall.folder, `stream${hall.number}.pid`)};
events { worker_connections 8192; }
stream {
  upstream web { ${hall.servers.map(({ address }) => `server ${address}:${WEB_PORT};`).join(" ")} }
  server { listen ${hall.virtual}:${WEB_PORT} backlog=4096; proxy_pass web; }
  server { listen ${hall.virtual}:${BULK_PORT}; proxy_pass ${first(hall)}:${BULK_PORT}; }
}
`;
}

async function stand(hall: Hall, name: string, words: readonly string[], speaks = false): Promise<Standing> {
  const program = await Running.start(hall.namespace, name, words, speaks);
  return { pids: () => family(program.pid), programs: [program] };
}

/** Writes a configuration and answers its path. */
function configure(hall: Hall, name: string, text: string): string {
  useKernelAddresses(hall);
  const path = join(hall.folder, `${name}${hall.number}.conf`);
  writeFileSync(path, text);
  return path;
}

export const haproxy: Contestant = {
  name: "haproxy", about: `HAProxy, mode tcp, ${THREADS} threads`, tools: ["haproxy"], takes: ["streams"],
  start: (hall) => stand(hall, "haproxy", ["haproxy", "-db", "-q", "-f", configure(hall, "haproxy", haproxyConfig(hall))]),
};

export const nginx: Contestant = {
  name: "nginx", about: `nginx stream, ${THREADS} workers`, tools: ["nginx", "stream"], takes: ["streams"],
  start: (hall) => stand(hall, "nginx stream", ["nginx", "-p", hall.folder, "-c", configure(hall, "stream", nginxConfig(hall))]),
};

export const node: Contestant = {
  name: "node", about: "a Node program that pipes sockets into each other", tools: [], takes: ["streams"],
  start: async (hall) => {
    useKernelAddresses(hall);
    const web = [`${hall.virtual}:${WEB_PORT}`, ...hall.servers.map(({ address }) => `${address}:${WEB_PORT}`)].join(",");
    const bulk = `${hall.virtual}:${BULK_PORT},${first(hall)}:${BULK_PORT}`;
    return stand(hall, "node proxy", [process.execPath, PROXY, web, bulk], true);
  },
};
