// The few ipvsadm forms that the recordings' frames depend on, as engine requests.

import { Operation, PortFlag } from "../../assembly/abi/enums.js";
import type { Engine } from "../../host/engine/engine.js";
import { addService, setPort, setServer } from "../../host/engine/requests.js";
import type { ServerSpec, ServiceSpec, TunnelName } from "../../host/protocol.js";
import { IN, OUT } from "./topology.js";

function endpoint(text: string): { family: 4 | 6; address: string; port: number } {
  const six = /^\[(.+)\](?::(\d+))?$/.exec(text);
  if (six) return { family: 6, address: six[1] ?? "", port: Number(six[2] ?? 0) };
  const [address = "", port = "0"] = text.split(":");
  return { family: 4, address, port: Number(port) };
}

function service(words: string[]): ServiceSpec {
  const at = words.findIndex((word) => ["-t", "-u", "--sctp-service"].includes(word));
  const key = endpoint(words[at + 1] ?? "");
  const scheduler = words.indexOf("-s");
  return {
    ...key, protocol: words[at] === "-t" ? "tcp" : words[at] === "-u" ? "udp" : "sctp", fwmark: 0,
    scheduler: scheduler < 0 ? "wlc" : words[scheduler + 1] ?? "", schedulerFlags: 0, persistent: false,
    timeoutSeconds: 0, netmask: key.family === 4 ? "255.255.255.255" : "128", persistenceEngine: "",
    onePacket: words.includes("-o"),
  };
}

function server(words: string[], key: ServiceSpec): ServerSpec {
  const real = endpoint(words[words.indexOf("-r") + 1] ?? "");
  const weight = words.indexOf("-w");
  const type = words.indexOf("--tun-type");
  const tunnelPort = words.indexOf("--tun-port");
  const masq = words.includes("-m");
  return {
    ...real, port: masq && real.port !== 0 ? real.port : key.port,
    forward: masq ? "masq" : words.includes("-i") ? "tunnel" : "route",
    weight: weight < 0 ? 1 : Number(words[weight + 1]), upperThreshold: 0, lowerThreshold: 0,
    tunnel: (type < 0 ? "ipip" : words[type + 1]) as TunnelName, tunnelPort: tunnelPort < 0 ? 0 : Number(words[tunnelPort + 1]),
    tunnelFlags: words.includes("--tun-remcsum") ? 2 : words.includes("--tun-csum") ? 1 : 0,
  };
}

/** Runs a recorded command; listings change nothing and are passed over. */
export function runCommand(engine: Engine, command: string): void {
  for (const part of command.split(/[;\n]/)) {
    const words = part.trim().split(/\s+/);
    const mtu = /^ip link set (in|out) mtu (\d+)$/.exec(part.trim());
    if (mtu) {
      const inner = mtu[1] === "in";
      setPort(engine, inner ? IN : OUT, inner ? "02:00:00:00:02:01" : "02:00:00:00:01:01", Number(mtu[2]), PortFlag.Up);
    } else if (words[1] === "-A") {
      if (addService(engine, service(words)) < 0) throw new Error(`refused: ${part}`);
    } else if (words[1] === "-a") {
      const key = service(words);
      if (setServer(engine, Operation.ServerAdd, key, server(words, key)) < 0) throw new Error(`refused: ${part}`);
    } else if (words[0] === "ipvsadm" && !(words[1] ?? "").startsWith("-L")) {
      throw new Error(`not understood: ${part}`);
    }
  }
}
