// Random traffic of a world's flows, both sides, with everything that might make a packet unfit for the express
// road: sizes about the MTU, few hops, odd lengths, header options, bad and missing checksums.

import { FrameFlag } from "../../assembly/abi/enums.js";
import { SLOT_HEADROOM } from "../../assembly/abi/layout.js";
import type { Random } from "../../bench/lib/random.js";
import { sum } from "../../host/lab/sum.js";
import { ACK, buildFrame, SYN, UDP, type FramePlan } from "../../bench/path/frames.js";
import { INSIDE, OUTSIDE, type World } from "../../bench/path/world.js";

const FIN = 1, RST = 4, PSH = 8;
const FLAGS = [SYN, ACK, ACK, ACK, ACK, ACK, ACK | PSH, ACK | FIN, RST, SYN | ACK, 0];
const HOPS = [64, 64, 64, 64, 255, 2, 1, 0];
export const FLOWS = 24;
export const MTU_BYTES = 1500;
const SLOT_BYTES = 2112;
const VIRTIO_BYTES = 10;
const IP = 14;

const pick = <T>(random: Random, list: readonly T[]): T => list[random.below(list.length)] as T;
const once = (random: Random, times: number): boolean => random.below(times) === 0;

/** Mostly small; else within the outer headers' 60 bytes of what a port takes, or one byte more. */
function payloadBytes(random: Random, plan: FramePlan): number | undefined {
  if (once(random, 2)) return undefined;
  if (once(random, 2)) return random.below(70);
  const headers = (plan.family === 4 ? 20 : 40) + (plan.protocol === UDP ? 8 : 20);
  return MTU_BYTES - headers + 1 - random.below(62);
}

/** The IPv4 header's checksum, computed anew. */
function finishHeader(bytes: Uint8Array): void {
  bytes.set([0, 0], IP + 10);
  const value = ~sum(bytes.subarray(IP, IP + 20)) & 0xffff;
  bytes.set([value >> 8, value & 255], IP + 10);
}

/** What hosts rarely do: service classes, packets that may be cut, pieces, wrong sums. */
function spoil4(bytes: Uint8Array, random: Random): Uint8Array {
  if (once(random, 3)) bytes[IP + 1] = random.below(256);
  if (once(random, 3)) bytes[IP + 6] = 0;
  if (once(random, 24)) bytes[IP + 6] = 0x20;
  finishHeader(bytes);
  if (once(random, 24)) bytes[IP + 10] = (bytes[IP + 10] ?? 0) ^ 1;
  return bytes;
}

/** The same, and a header of options for the target before the transport header. */
function spoil6(bytes: Uint8Array, random: Random): Uint8Array {
  if (once(random, 3)) bytes.set([0x60 | random.below(16), random.below(256)], IP);
  if (!once(random, 12) || bytes.length > 1400) return bytes;
  const longer = new Uint8Array(bytes.length + 8);
  longer.set(bytes.subarray(0, IP + 40));
  longer.set([bytes[IP + 6] ?? 0, 0, 1, 4, 0, 0, 0, 0], IP + 40);
  longer.set(bytes.subarray(IP + 40), IP + 48);
  const payload = longer.length - IP - 40;
  longer.set([payload >> 8, payload & 255, 60], IP + 4);
  return longer;
}

/** One side's random frame; servers often speak for connections that are another server's. */
function randomFrame(world: World, random: Random): { port: number; bytes: Uint8Array } {
  const flow = random.below(FLOWS);
  const flags = pick(random, FLAGS);
  const outside = once(random, 2);
  const plan = outside ? world.fromClient(flow, flags) : world.fromServer(flow, random.below(world.servers), flags);
  const bytes = buildFrame({ ...plan, hops: pick(random, HOPS), payloadBytes: payloadBytes(random, plan) });
  const transport = plan.family === 4 ? IP + 20 : IP + 40;
  if (plan.protocol === UDP && once(random, 4)) bytes.set([0, 0], transport + 6);
  if (once(random, 8)) bytes[transport + 6] = (bytes[transport + 6] ?? 0) ^ 0x5a;
  if (once(random, 40)) bytes[5] = (bytes[5] ?? 0) ^ 1;
  return { port: outside ? OUTSIDE : INSIDE, bytes: plan.family === 4 ? spoil4(bytes, random) : spoil6(bytes, random) };
}

/** Lists a random frame, at times with bytes behind the packet, or cut short. */
export function enterRandom(world: World, random: Random, index: number, vnet: boolean): void {
  const { port, bytes } = randomFrame(world, random);
  const trailing = once(random, 6) ? random.below(12) : once(random, 40) ? -random.below(20) : 0;
  enterFrame(world, index, bytes, port, bytes.length + trailing, vnet, vnet && once(random, 3));
}

/** Lists a frame; `partial` says that its checksum is only begun, as from a kernel that leaves it to the device. */
export function enterFrame(
  world: World, index: number, bytes: Uint8Array, port: number, frameBytes = bytes.length, vnet = false, partial = false,
): void {
  const { engine } = world;
  const at = engine.arenaBase + index * SLOT_BYTES + SLOT_HEADROOM;
  engine.bytes.fill(0, at - SLOT_HEADROOM, at + SLOT_BYTES - SLOT_HEADROOM);
  engine.bytes.set(bytes, at);
  if (partial) engine.bytes[at - VIRTIO_BYTES] = 1;
  engine.enter(index, at, frameBytes, port, vnet ? FrameFlag.Vnet : 0);
}

/** A list entry that came out, in one line: port, flags, the virtio header where there is one, and the frame. */
export function sentFrame(world: World, index: number): string {
  const { engine } = world;
  const { port, flags, frame, bytes } = engine.sent(index);
  return `${port} ${flags} ${hexOf(world, frame - (flags & FrameFlag.Vnet ? VIRTIO_BYTES : 0), frame + bytes)}`;
}

export function hexOf(world: World, from: number, to: number): string {
  return Buffer.from(world.engine.bytes.slice(from, to)).toString("hex");
}
