// A director over an engine: requests of the control protocol become operations and listings.

import { Operation, type ControlError } from "../../assembly/abi/enums.js";
import type { ControlReply, ControlReplies, ControlRequest, DaemonSpec, Director, ForwardName, PortRow, ReplyOf, Status } from "../protocol.js";
import { listDaemons } from "./daemons.js";
import type { Performer } from "./engine.js";
import { FAILURES, SYSCTLS } from "./names.js";
import type { Records } from "./records.js";
import * as requests from "./requests.js";

export interface DirectorSettings {
  version: string;
  /** Ports by index; place 0 is nobody's. */
  ports: () => (PortRow | undefined)[];
  defaultForward: ForwardName;
  startedMs: number;
}

/** A sync daemon was to speak on a port that does not exist. */
class NoDeviceError extends RangeError {}

type Answer = ControlReplies[keyof ControlReplies] | null;

export class EngineDirector implements Director {
  constructor(
    private readonly engine: Performer,
    private readonly records: Records,
    private readonly settings: DirectorSettings,
  ) {}

  async request<R extends ControlRequest>(request: R): Promise<ControlReply<ReplyOf<R>>> {
    try {
      return (await this.answer(request)) as ControlReply<ReplyOf<R>>;
    } catch (error) {
      if (error instanceof NoDeviceError) return { ok: false, error: "no-device" };
      if (error instanceof RangeError) return { ok: false, error: "invalid", detail: error.message };
      throw error;
    }
  }

  private async answer(request: ControlRequest): Promise<ControlReply<Answer>> {
    const value = this.listing(request);
    if (value !== undefined) return { ok: true, value };
    const code = await this.change(request);
    if (code === undefined) return { ok: false, error: "unsupported" };
    return code < 0 ? { ok: false, error: FAILURES[code as ControlError] ?? "invalid" } : { ok: true, value: null };
  }

  private listing(request: ControlRequest): Answer | undefined {
    switch (request.do) {
      case "table": return this.records.table();
      case "connections": return this.records.connectionPage(request.from);
      case "timeouts": return this.records.timeouts();
      case "daemons": return listDaemons(this.records.memory, (index) => this.settings.ports()[index]?.name ?? "");
      case "helpers": return this.records.helpers();
      case "sysctls": return this.records.sysctls();
      case "status": return this.status();
      case "default-forward": return this.settings.defaultForward;
      default: return undefined;
    }
  }

  private change(request: ControlRequest): number | Promise<number> | undefined {
    const { engine } = this;
    switch (request.do) {
      case "service-add": return requests.addService(engine, request.service);
      case "service-edit": return requests.editService(engine, request.service);
      case "service-delete": return requests.deleteService(engine, request.service);
      case "server-add": return requests.setServer(engine, Operation.ServerAdd, request.service, request.server);
      case "server-edit": return requests.setServer(engine, Operation.ServerEdit, request.service, request.server);
      case "server-delete": return requests.deleteServer(engine, request.service, request.server);
      case "flush": return requests.flush(engine);
      case "zero": return requests.zero(engine, request.service);
      case "timeouts-set": return requests.setTimeouts(engine, request.timeouts);
      case "daemon-start": return this.startDaemon(request.daemon);
      case "daemon-stop": return requests.stopDaemon(engine, request.role);
      case "sysctl-set": return this.setSysctl(request.name, request.value, request.period);
      case "mark-add": return requests.addMark(engine, request.rule, this.portIndex(request.rule.interface));
      default: return undefined;
    }
  }

  private startDaemon(daemon: DaemonSpec): number | Promise<number> {
    const port = this.settings.ports().findIndex((one) => one?.name === daemon.interface);
    if (port < 1) throw new NoDeviceError(`there is no port "${daemon.interface}"`);
    return requests.startDaemon(this.engine, daemon, port);
  }

  private setSysctl(name: string, value: number, period?: number): number | Promise<number> {
    const sysctl = SYSCTLS.get(name);
    if (sysctl === undefined) throw new RangeError(`there is no setting net.ipv4.vs.${name}`);
    return requests.setSysctl(this.engine, sysctl, value, period ?? this.records.syncPeriod);
  }

  private portIndex(name: string): number {
    if (name === "") return 0;
    const index = this.settings.ports().findIndex((port) => port?.name === name);
    if (index < 1) throw new RangeError(`there is no port "${name}"`);
    return index;
  }

  private status(): Status {
    const ports = this.settings.ports();
    return {
      version: this.settings.version,
      uptimeSeconds: Math.floor((Date.now() - this.settings.startedMs) / 1000),
      workers: this.records.workers, workerRows: this.records.workerRows(), buckets: this.records.buckets,
      connectionsUsed: this.records.connectionsUsed, connectionsMax: this.records.connectionsMax,
      ports: ports.filter((port) => port !== undefined),
      neighbors: this.records.neighbors((index) => ports[index]?.name ?? `port ${index}`),
      drops: this.records.drops(),
    };
  }
}
