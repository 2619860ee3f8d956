// Whose a client's connections are: of the worker that the client's hash names.

import { foldAddress } from "../base/hash";
import { workers } from "../memory";
import { hashClient } from "./table";

/** The owner by a client's hash: by its upper half, since the lower one chooses the bucket. */
export function ownerOf(hash: u32): u32 {
  return ((hash >> 16) * workers) >> 16;
}

/** The owner of what a client (16 bytes) does from a port, in network order. */
export function ownerByClient(client: usize, port: u32, protocol: u32): u32 {
  return ownerOf(hashClient(foldAddress(client), port, protocol));
}
