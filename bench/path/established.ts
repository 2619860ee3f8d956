// Connections before the bench begins: opened by real frames, each with the server that the engine chose.

import { ACK, buildFrame, SYN, TCP } from "./frames.js";
import { BATCH_MAX } from "../../assembly/abi/limits.js";
import { Batch } from "./batch.js";
import { Template } from "./template.js";
import { INSIDE, OUTSIDE, SERVERS, World } from "./world.js";

/** A template for each server's replies. */
export function replyTemplates(world: World, flags: number, payloadBytes?: number): Template[] {
  return Array.from({ length: SERVERS }, (_, server) => {
    const plan = world.fromServer(undefined, server, flags, payloadBytes);
    return new Template(buildFrame(plan), plan, false);
  });
}

export function clientTemplate(world: World, flags: number, payloadBytes?: number): Template {
  const plan = world.fromClient(undefined, flags, payloadBytes);
  return new Template(buildFrame(plan), plan, true);
}

/** Opens flows 0..count-1, with the whole handshake; answers which server each was given, of sixteen. */
export function establish(world: World, count: number): Uint8Array {
  const servers = new Uint8Array(count);
  const batch = new Batch(world);
  const { engine } = world;
  const opening = clientTemplate(world, SYN);
  const answers = replyTemplates(world, SYN | ACK);
  const closing = clientTemplate(world, ACK);
  for (let first = 0; first < count; first += BATCH_MAX) {
    const some = Math.min(BATCH_MAX, count - first);
    send(OUTSIDE, () => opening);
    for (let index = 0; index < some; index++) servers[first + index] = world.serverOf(engine.sent(index).frame);
    if (world.plan.protocol !== TCP) continue;
    if (world.plan.forward === "masq") send(INSIDE, (flow) => answers[servers[flow] ?? 0] as Template);
    send(OUTSIDE, () => closing);

    function send(port: number, template: (flow: number) => Template): void {
      for (let index = 0; index < some; index++) batch.write(index, first + index, template(first + index));
      batch.list(some, opening.bytes, port);
      const sent = engine.receive(some, world.nowMs);
      if (sent !== some) throw new Error(`${sent} of ${some} frames came out while connections were opened`);
    }
  }
  return servers;
}
