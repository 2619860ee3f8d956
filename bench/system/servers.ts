// The real servers' programs: nginx, which answers from memory, and iperf3.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { BULK_PORT, WEB_PORT, type Laboratory } from "./hall.js";
import { Running } from "./running.js";
import type { Tool } from "./tools.js";

const REQUESTS_KEPT = 1_000_000_000;

function webConfig(folder: string, number: number): string {
  return `daemon off;
master_process off;
error_log /dev/null;
pid ${join(folder, `web${number}.pid`)};
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests ${REQUESTS_KEPT};
  keepalive_timeout 300s;
  client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  server { listen ${WEB_PORT} backlog=4096; location / { default_type text/plain; return 200 "server ${number}\\n"; } }
}
`;
}

/** Starts on every real server what the wanted measures need; what cannot be had is not started. */
export async function startServers(laboratory: Laboratory, has: (tool: Tool) => boolean): Promise<Running[]> {
  const { folder, servers } = laboratory;
  const started: Running[] = [];
  for (const [index, server] of servers.entries()) {
    if (has("nginx")) {
      const path = join(folder, `web${index + 1}.conf`);
      writeFileSync(path, webConfig(folder, index + 1));
      started.push(await Running.start(server, `nginx on server ${index + 1}`, ["nginx", "-p", folder, "-c", path]));
    }
    if (has("iperf3")) started.push(await Running.start(server, `iperf3 on server ${index + 1}`, ["iperf3", "-s", "-p", String(BULK_PORT)]));
  }
  return started;
}
