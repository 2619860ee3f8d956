// A director in this process, told what to do in ipvsadm's words, and datagrams through it.

import { parseAddress } from "../../host/engine/address.js";
import type { Replay } from "../../host/replay/replay.js";
import { readScenario } from "../../host/replay/scenario.js";
import { createRecordedDirector, PORTS } from "../oracle/recording.js";
import { sum } from "../../host/lab/sum.js";

const UDP = 17;

function word(address: string): Uint8Array {
  return parseAddress(address)?.bytes.slice(12) ?? new Uint8Array(4);
}

/** An IPv4 packet, its header's checksum right. A piece of a datagram has an identification, and the word that says which. */
export function buildIp(source: string, target: string, protocol: number, payload: Uint8Array, piece = { id: 1, word: 0x4000 }): Buffer {
  const header = Buffer.from([0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, ...word(source), ...word(target)]);
  header.writeUInt16BE(20 + payload.length, 2);
  header.writeUInt16BE(piece.id, 4);
  header.writeUInt16BE(piece.word, 6);
  header.writeUInt16BE(~sum(header) & 0xffff, 10);
  return Buffer.concat([header, payload]);
}

/** A datagram without a checksum, which UDP allows. */
export function buildUdp(source: string, sourcePort: number, target: string, targetPort: number, text: Uint8Array): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(targetPort, 2);
  header.writeUInt16BE(8 + text.length, 4);
  return buildIp(source, target, UDP, Buffer.concat([header, text]));
}

const MORE_PIECES = 0x2000;

/** A whole packet in pieces of so many bytes (a multiple of 8) of what it carries. */
export function buildPieces(packet: Buffer, id: number, pieceBytes: number): Buffer[] {
  const address = (at: number): string => packet.subarray(at, at + 4).join(".");
  const payload = packet.subarray(20);
  return Array.from({ length: Math.ceil(payload.length / pieceBytes) }, (_, index) => {
    const from = index * pieceBytes;
    const more = from + pieceBytes < payload.length ? MORE_PIECES : 0;
    return buildIp(address(12), address(16), packet[9] ?? 0, payload.subarray(from, from + pieceBytes), { id, word: more | (from >> 3) });
  });
}

/** An ICMP error about a packet. */
export function buildIcmp(source: string, target: string, type: number, code: number, about: Uint8Array): Buffer {
  const message = Buffer.concat([Buffer.from([type, code, 0, 0, 0, 0, 0, 0]), about]);
  message.writeUInt16BE(~sum(message) & 0xffff, 2);
  return buildIp(source, target, 1, message);
}

/** What came out: by which port, and the number of the real server it went to. */
export interface Delivered { port: string; server: number; bytes: Uint8Array }

export class Exchange {
  private constructor(readonly replay: Replay) {}

  static async begin(...commands: string[]): Promise<Exchange> {
    const exchange = new Exchange(await createRecordedDirector());
    for (const command of commands) await exchange.run(command);
    return exchange;
  }

  /** Runs commands; they must succeed. */
  async run(command: string): Promise<string> {
    const [input] = readScenario(JSON.stringify({ cmd: command }), PORTS);
    if (!input) throw new Error(`not a command: ${command}`);
    const [echo] = (await this.replay.play(input)) as { rc: number; stdout: string; stderr: string }[];
    if (echo?.rc !== 0) throw new Error(`${command}: ${echo?.stderr}`);
    return echo.stdout;
  }

  /** A packet from the clients' side. */
  fromClient(packet: Uint8Array): Delivered[] {
    return this.receive("out", [2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 1, 0xfe, 8, 0], packet);
  }

  /** A packet from real server n. */
  fromServer(n: number, packet: Uint8Array): Delivered[] {
    return this.receive("in", [2, 0, 0, 0, 2, 1, 2, 0, 0, 0, 2, 10 + n, 8, 0], packet);
  }

  private receive(port: string, ethernet: number[], packet: Uint8Array): Delivered[] {
    return this.replay.receive(port, Buffer.concat([Buffer.from(ethernet), packet]))
      .map((sent) => ({ port: sent.port, server: (sent.bytes[5] ?? 0) - 10, bytes: sent.bytes }));
  }

  pass(seconds: number): void {
    this.replay.advance(seconds);
  }

  get drops(): Record<string, bigint> {
    return this.replay.engine.drops();
  }

  /** Rows of -Lnc --persistent-conn, sorted, without the header. */
  async rows(): Promise<string[]> {
    return (await this.run("ipvsadm -Lnc --persistent-conn")).trimEnd().split("\n").slice(2).sort();
  }
}
