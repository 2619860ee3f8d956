// What real servers run and clients ask with: nginx and curl when they are installed, the laboratory's own
// programs when not.

import { spawnSync, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { serverPort } from "../../host/lab/addresses.js";
import type { Namespace } from "../../host/lab/namespace.js";
import { SERVICE_URL, type Network } from "../../host/lab/network.js";
import { patternBytes } from "../../host/lab/pattern.js";
import { ended } from "../../host/lab/process.js";
import { lacking } from "./inside.js";
import { makeFolder, until, type Rig } from "./rig.js";

/** Where the laboratory's own program listens when nginx has its place: it still takes tunnels apart. */
const ASIDE_PORT = 9080;
const TRANSFER_SECONDS = 30;

export const hasNginx = lacking("nginx", "setpriv") === false;
export const hasCurl = lacking("curl") === false;
/** For a test's name. */
export const WITH = `${hasNginx ? "nginx" : "the laboratory's server"} and ${hasCurl ? "curl" : "the laboratory's client"}`;

// One process: a worker of its own would change its user, which a user namespace does not allow; and it gives
// its folders to its user, who has to be one that exists there.
function configuration(name: string, port: number): string {
  const places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((one) => `${one}_temp_path ${one};`).join(" ");
  return `user root root; daemon off; master_process off; pid nginx.pid; error_log stderr;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 100000; client_max_body_size 64m; ${places}
  server {
    listen ${port} backlog=1024;
    ${existsSync("/proc/net/if_inet6") ? `listen [::]:${port} backlog=1024 ipv6only=on;` : ""}
    add_header x-server ${name} always;
    location = / { return 200 "${name}\\n"; }
    location /files/ { root .; dav_methods PUT; }
  }
}
`;
}

/** Starts the web servers on every server; `transferBytes` is the size of the file they offer. */
export class WebServers {
  private readonly nginxes: ChildProcess[] = [];
  private readonly folders: string[] = [];
  readonly content: Buffer;

  constructor(private readonly context: TestContext, transferBytes: number) {
    this.content = patternBytes(0, transferBytes);
  }

  /** `tunnels` is the servers' interface on which every kind of tunnel is taken apart; only IPIP is without it. */
  async start(network: Network, tunnels?: string): Promise<void> {
    if (tunnels === undefined) {
      await network.startServers(hasNginx ? ASIDE_PORT : undefined);
    } else {
      const words = ["--port", String(ASIDE_PORT), "--tunnels", tunnels];
      await Promise.all(network.servers.map((server, index) => {
        const name = `server${index + 1}`;
        return network.start(server, name, "server.js", ["--name", name, ...words]);
      }));
    }
    if (!hasNginx) return;
    const names = network.method === "local" ? ["director"] : network.servers.map((_, index) => `server${index + 1}`);
    this.context.after(() => Promise.all(this.nginxes.map((child) => { child.kill("SIGTERM"); return ended(child); })));
    for (const [index, home] of network.homes.entries()) await this.startNginx(home, names[index] ?? "", serverPort(network.method));
  }

  private async startNginx(home: Namespace, name: string, port: number): Promise<void> {
    const folder = makeFolder(this.context);
    mkdirSync(join(folder, "files"));
    writeFileSync(join(folder, "files", "down"), this.content);
    writeFileSync(join(folder, "nginx.conf"), configuration(name, port).replace("root .;", `root ${folder};`));
    const child = home.spawn("setpriv", ["--pdeathsig", "TERM", "nginx", "-p", folder, "-c", "nginx.conf", "-e", "stderr"], ["ignore", "ignore", "pipe"]);
    let complaint = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (complaint += text));
    this.nginxes.push(child);
    this.folders.push(folder);
    // It writes its number when it listens.
    const listening = await until(() => existsSync(join(folder, "nginx.pid")) || child.exitCode !== null);
    if (!listening || child.exitCode !== null) throw new Error(`nginx of ${name} did not start: ${complaint}`);
  }

  /** Fetches the file through the service; answers the SHA-256 of what came. */
  async download(rig: Rig): Promise<string> {
    if (!hasNginx || !hasCurl) {
      const url = hasNginx ? `${SERVICE_URL}/files/down` : `${SERVICE_URL}/bytes/${this.content.length}`;
      return (await rig.client.request({ url })).sha256;
    }
    const target = join(makeFolder(this.context), "down");
    this.curl(rig, ["-o", target, `${SERVICE_URL}/files/down`]);
    return digest(readFileSync(target));
  }

  /** Sends the content through the service; answers the SHA-256 of what arrived. */
  async upload(rig: Rig): Promise<string> {
    if (!hasNginx || !hasCurl) return (await rig.client.request({ url: SERVICE_URL, bodyBytes: this.content.length })).sample.trim();
    const source = join(makeFolder(this.context), "up");
    writeFileSync(source, this.content);
    const name = `up-${process.hrtime.bigint()}`;
    this.curl(rig, ["-T", source, `${SERVICE_URL}/files/${name}`]);
    return this.arrived(name);
  }

  /** The SHA-256 of a file that was put to any of the servers. */
  arrived(name: string): string {
    const path = this.folders.map((folder) => join(folder, "files", name)).find((one) => existsSync(one));
    return path === undefined ? "nothing arrived" : digest(readFileSync(path));
  }

  private curl(rig: Rig, words: readonly string[]): void {
    rig.network.client.output("curl", ["-sS", "--fail", "--noproxy", "*", "--max-time", String(TRANSFER_SECONDS), ...words]);
  }
}

export function digest(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** What a program says about itself, its first line: for a diagnostic. */
export function versionOf(program: string, word: string): string {
  const done = spawnSync(program, [word], { encoding: "utf8" });
  return `${done.stdout}${done.stderr}`.split("\n")[0] ?? "";
}
