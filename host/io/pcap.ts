// Capture files of the classic pcap format: Ethernet, microseconds or nanoseconds, either byte order.

export interface CapturedFrame { seconds: number; bytes: Uint8Array }

const MAGIC_MICRO = 0xa1b2c3d4;
const MAGIC_NANO = 0xa1b23c4d;
const FILE_HEADER_BYTES = 24;
const FRAME_HEADER_BYTES = 16;
const LINK_ETHERNET = 1;
const SNAP_BYTES = 262144;

/** Reads a capture. Throws a RangeError that says what is wrong with the file. */
export function readCapture(file: Uint8Array): CapturedFrame[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < FILE_HEADER_BYTES) throw new RangeError("it is shorter than a capture's header");
  const little = [MAGIC_MICRO, MAGIC_NANO].includes(view.getUint32(0, true));
  const magic = view.getUint32(0, little);
  if (magic !== MAGIC_MICRO && magic !== MAGIC_NANO) throw new RangeError("it is no pcap capture (pcapng: convert it with `editcap -F pcap`)");
  if (view.getUint32(20, little) !== LINK_ETHERNET) throw new RangeError("it was not captured on Ethernet");
  const fraction = magic === MAGIC_NANO ? 1e9 : 1e6;
  const frames: CapturedFrame[] = [];
  for (let at = FILE_HEADER_BYTES; at < file.length;) {
    if (at + FRAME_HEADER_BYTES > file.length) throw new RangeError(`frame ${frames.length + 1} has no complete header`);
    const bytes = view.getUint32(at + 8, little);
    const end = at + FRAME_HEADER_BYTES + bytes;
    if (end > file.length) throw new RangeError(`frame ${frames.length + 1} is cut off`);
    frames.push({ seconds: view.getUint32(at, little) + view.getUint32(at + 4, little) / fraction, bytes: file.slice(at + FRAME_HEADER_BYTES, end) });
    at = end;
  }
  return frames;
}

/** Writes a capture with microseconds, little endian. */
export function writeCapture(frames: readonly CapturedFrame[]): Uint8Array {
  const total = FILE_HEADER_BYTES + frames.reduce((sum, frame) => sum + FRAME_HEADER_BYTES + frame.bytes.length, 0);
  const file = new Uint8Array(total);
  const view = new DataView(file.buffer);
  view.setUint32(0, MAGIC_MICRO, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, SNAP_BYTES, true);
  view.setUint32(20, LINK_ETHERNET, true);
  let at = FILE_HEADER_BYTES;
  for (const frame of frames) {
    const micros = Math.round(frame.seconds * 1e6);
    view.setUint32(at, Math.floor(micros / 1e6), true);
    view.setUint32(at + 4, micros % 1e6, true);
    view.setUint32(at + 8, frame.bytes.length, true);
    view.setUint32(at + 12, frame.bytes.length, true);
    file.set(frame.bytes, at + FRAME_HEADER_BYTES);
    at += FRAME_HEADER_BYTES + frame.bytes.length;
  }
  return file;
}
