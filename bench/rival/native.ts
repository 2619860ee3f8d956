// The rival in C: compiled when gcc is there, called in this process over the engine's own memory.

import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import koffi from "koffi";
import { Forward } from "../../assembly/abi/enums.js";
import { gccVersion } from "../lib/machine.js";
import { clientPortWire, clientWord } from "../path/flows.js";
import { RECEIVE_LIST, TRANSMIT_LIST } from "../path/batch.js";
import { wireAddress } from "../path/frames.js";
import { INSIDE, INSIDE_MAC, OUTSIDE_MAC, serverMac, SERVERS, VIRTUAL_PORT, type World } from "../path/world.js";
import { parseMac } from "../../host/engine/address.js";
import type { ForwardName } from "../../host/protocol.js";

const SOURCE = fileURLToPath(new URL("../../../bench/rival/rival.c", import.meta.url));
const MTU_BYTES = 1500;

type Call = (...values: (number | bigint | Uint8Array)[]) => number;
export interface Library { create: Call; free: Call; virtual: Call; neighbor: Call; connect: Call; receive: Call }

const FLAGS = ["-O3", "-march=x86-64-v2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"];

/** Compiles and loads the rival; undefined where there is no gcc. */
export async function compileRival(): Promise<Library | undefined> {
  if (gccVersion() === undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), "rival-"));
  const file = join(folder, "rival.so");
  const flags = process.arch === "x64" ? FLAGS : FLAGS.filter((flag) => !flag.startsWith("-march"));
  const result = spawnSync("gcc", [...flags, "-o", file, SOURCE], { encoding: "utf8" });
  if (result.status !== 0) throw new Error(`gcc: ${result.stderr}`);
  const library = koffi.load(file);
  await rm(folder, { recursive: true });
  const word = "uint32_t", place = "uintptr_t", bytes = "const uint8_t *";
  return {
    create: library.func("rival_create", place, [word, word, word]),
    free: library.func("rival_free", "void", [place]),
    virtual: library.func("rival_virtual", "void", [place, bytes, word, word]),
    neighbor: library.func("rival_neighbor", "void", [place, word, bytes, word, word, word, word]),
    connect: library.func("rival_connect", "void", [place, word, word, word, word, word]),
    receive: library.func("rival_receive", word, [place, place, word, word, word, word]),
  };
}

function littleWord(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

const swap16 = (value: number): number => ((value & 255) << 8) | (value >>> 8);
const macOf = (text: string): Uint8Array => parseMac(text) ?? new Uint8Array(6);

/** The rival's numbers of the methods. */
const METHODS: Record<ForwardName, number> = { masq: Forward.Nat, local: Forward.Local, tunnel: Forward.Tunnel, route: Forward.Direct };

/** A native director with a world's service and connections. */
export class NativeRival {
  private readonly handle: number;
  private readonly base: number;

  constructor(private readonly library: Library, private readonly world: World, servers: Uint8Array, staged: boolean) {
    const { addresses, plan, serverPort } = world;
    const word = (address: string): number => littleWord(wireAddress(address.split("/")[0] ?? ""));
    this.handle = Number(library.create(servers.length, staged ? 1 : 0, METHODS[plan.forward]));
    this.base = Number(koffi.address(world.engine.bytes));
    library.virtual(this.handle, macOf(OUTSIDE_MAC), word(addresses.virtual), swap16(VIRTUAL_PORT));
    const words = Array.from({ length: SERVERS }, (_, server) => word(addresses.server(server)));
    words.forEach((address, server) => library.neighbor(
      this.handle, server, Uint8Array.from([...macOf(serverMac(server)), ...macOf(INSIDE_MAC)]), INSIDE, MTU_BYTES, word(addresses.inside), address,
    ));
    servers.forEach((server, flow) => library.connect(this.handle, clientWord(flow), clientPortWire(flow), server, words[server] ?? 0, swap16(serverPort)));
  }

  receive = (count: number, nowMs: number): number =>
    this.library.receive(this.handle, this.base, RECEIVE_LIST, TRANSMIT_LIST, count, nowMs);

  close(): void {
    this.library.free(this.handle);
  }
}
