// A running director: devices open, pump turning, control socket served, until it is told to stop.

import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { systemNames } from "../cli/system.js";
import { applyNetwork, applyRules } from "../config/apply.js";
import { readConfig, type Config } from "../config/config.js";
import { ConfigError } from "../config/locator.js";
import type { WorkersChoice } from "../config/schema.js";
import { EngineDirector, type DirectorSettings } from "../engine/director.js";
import { Engine } from "../engine/engine.js";
import { Records } from "../engine/records.js";
import { announce } from "../engine/requests.js";
import { askForHugePages } from "../io/sys/hugepages.js";
import { loadEngine } from "../load.js";
import { Pump, type PumpOptions } from "../pump/pump.js";
import { claimSocket, serveControl } from "./control.js";
import { missingGateways } from "./gateways.js";
import { Links } from "./links.js";
import { queueEachMost, readyNics } from "./nics.js";
import { modeOf, Ports } from "./ports.js";
import { needsRestart, reload, wantedOf } from "./reload.js";
import { packageVersion, portRows } from "./status.js";
import { twinAddresses } from "./twins.js";
import { countWorkers } from "./workers.js";

export interface DaemonOptions {
  config: Config;
  socketPath: string;
  /** Instead of the configuration's. */
  workers: WorkersChoice | undefined;
  log: Logger;
  /** The log says more than the configuration wants. */
  isVerbose: boolean;
  /** The data plane cannot go on. */
  onFailure(reason: string): void;
}

/** What the director goes by now: the last configuration that was taken over. */
interface Live { config: Config }

export class Daemon {
  private reloading = Promise.resolve();

  private constructor(
    private readonly live: Live, private readonly options: DaemonOptions, private readonly module: WebAssembly.Module,
    private readonly ports: Ports, private readonly links: Links, private readonly pump: Pump, private readonly director: EngineDirector,
    private readonly server: FastifyInstance,
  ) {}

  /** Starts everything, or nothing: what was begun is undone when a later step fails. */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const { log, config } = options;
    const module = await loadEngine();
    await wantedOf(module, config, systemNames());
    // Before any device: who starts a second director shall hear of that, not of a device that is in use.
    await claimSocket(options.socketPath);
    const nics = readyNics(config);
    const workers = countWorkers(options.workers ?? config.workers, config.tableBits, queueEachMost(nics));
    const seed = crypto.getRandomValues(new Uint32Array(1))[0] ?? 1;
    const ports = Ports.prepare(config, nics, workers, seed);
    const { arenaBytes } = ports;
    const engine = await Engine.create({ module, bucketBits: config.tableBits, workers, arenaBytes: workers * arenaBytes, seed });
    const hugePages = askForHugePages(engine.memory);
    ports.open();
    const links = new Links(config.ports);
    try {
      await applyNetwork(engine, config, (port) => modeOf(port));
      const records = new Records(engine.memory);
      const pump = new Pump({ module, memory: engine.memory, ports: ports.devices, queues: ports.queues, arenaBytes, ...pumpOptions(options) });
      const live: Live = { config };
      const settings: DirectorSettings = {
        version: packageVersion(), startedMs: Date.now(), ports: () => portRows(live.config, pump, ports, links),
        get defaultForward() { return live.config.defaultForward; },
      };
      await applyRules(new EngineDirector(engine, records, settings), config.rules, systemNames());
      const director = new EngineDirector(pump, records, settings);
      await warn(config, log);
      await pump.start();
      log.info({ drivers: pump.drivers, workers, hugePages }, "the drivers are chosen");
      const server = await serveControl(options.socketPath, director).catch(async (error: unknown) => {
        await pump.stop();
        throw error;
      });
      links.watch((port) => announce(pump, port));
      log.info({ socket: options.socketPath, ports: config.ports.map((port) => port.name) }, "the director works");
      return new Daemon(live, options, module, ports, links, pump, director, server);
    } catch (error) {
      links.stop();
      ports.close();
      throw error;
    }
  }

  /** Reads the configuration again; a mistake in it changes nothing. One after the other, however often it is asked. */
  reload(): Promise<void> {
    this.reloading = this.reloading.then(() => this.reloadOnce());
    return this.reloading;
  }

  private async reloadOnce(): Promise<void> {
    const { log } = this.options;
    try {
      const before = this.live.config;
      const after = readConfig(before.file);
      const restart = needsRestart(before, after);
      if (restart.length > 0) throw new ConfigError([`${after.file}: needs a restart: ${restart.join(", ")}`]);
      const wanted = await wantedOf(this.module, after, systemNames());
      this.ports.follow(after);
      const changes = await reload(this.pump, this.director, before, after, wanted);
      this.live.config = after;
      if (!this.options.isVerbose) log.level = after.logLevel;
      await warn(after, log);
      log.warn({ changes }, changes.length === 0 ? "reloaded: nothing has changed" : "reloaded");
    } catch (error) {
      const problems = error instanceof ConfigError ? error.problems : [(error as Error).message];
      log.error({ problems }, "not reloaded: the director goes on as it was");
      this.followAgain();
    }
  }

  /** What kept the ports from following may keep them from going back, too: that must not end a director, nor its next reload. */
  private followAgain(): void {
    try {
      this.ports.follow(this.live.config);
    } catch (error) {
      this.options.log.error({ problems: [(error as Error).message] }, "the ports' steering may be neither the old nor the new one");
    }
  }

  async stop(): Promise<void> {
    this.links.stop();
    await this.server.close();
    await this.pump.stop();
    this.ports.close();
    this.options.log.info("the director has stopped");
  }
}

/** What a pump goes by, and whom it tells what happens to it. */
function pumpOptions({ config, socketPath, log, onFailure }: DaemonOptions): Pick<PumpOptions, "driver" | "imagePath" | "onFailure" | "onTrap" | "onLack"> {
  return {
    driver: config.driver, imagePath: `${socketPath}.trap`, onFailure,
    onTrap: ({ stack, image, worker }) => log.error({ stack, image, worker }, "the engine trapped; its thread starts again over the same memory"),
    onLack: (index, problem) => {
      const port = config.ports.find((one) => one.index === index)?.name;
      if (problem === "") log.warn({ port }, "AF_XDP is back");
      else log.warn({ port, problem }, "the port does without AF_XDP; every second it is tried again");
    },
  };
}

/** What can be meant, and seldom is. */
async function warn(config: Config, log: Logger): Promise<void> {
  for (const problem of [...await missingGateways(config, systemNames()), ...twinAddresses(config.ports)]) log.warn(problem);
}
