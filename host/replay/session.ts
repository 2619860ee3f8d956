// A scenario from its beginning to its end: recordings that load the kernel's module anew begin again, in the same network.

import type { Config } from "../config/config.js";
import { Replay, type ReplayOptions } from "./replay.js";
import type { Input, Line } from "./scenario.js";
import type { Script } from "./shell.js";

const NETWORK = /^(ip|ip6?tables(-legacy)?)$/;

/** True when a script changes nothing of IPVS: marks, routes and links outlive its module. */
const isNetwork = (script: Script): boolean => script.pipelines.every(({ programs }) => programs.every(({ words }) => NETWORK.test(words[0] ?? "")));

export class Session {
  private readonly network: Script[] = [];
  private start: Input | undefined;

  private constructor(
    private readonly module: WebAssembly.Module, private readonly config: Config, private readonly options: ReplayOptions, private replay: Replay,
  ) {}

  static async begin(module: WebAssembly.Module, config: Config, options: ReplayOptions = {}): Promise<Session> {
    return new Session(module, config, options, await Replay.create(module, config, options));
  }

  /** Does one input and answers the lines that tell about it. */
  async play(input: Input): Promise<object[]> {
    if (input.kind === "reload") return this.reload(input.line);
    if (input.kind === "start") this.start = input;
    if (input.kind === "command" && isNetwork(input.script)) this.network.push(input.script);
    return this.replay.play(input);
  }

  private async reload({ fields, atSeconds }: Line): Promise<object[]> {
    const { files } = this.replay;
    const start = atSeconds === undefined ? {} : { startMs: Math.floor(atSeconds * 1000) };
    this.replay = await Replay.create(this.module, this.config, { ...this.options, files, ...start });
    if (this.start) await this.replay.play(this.start);
    for (const script of this.network) await this.replay.command(script);
    return [{ ev: "cmd", ...fields, rc: 0, stdout: "", stderr: "" }];
  }
}
