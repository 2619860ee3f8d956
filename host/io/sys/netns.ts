// Network namespaces: which network a thread's sockets and devices belong to.

import { O_CLOEXEC, O_RDONLY, checked, close, open, setns } from "./libc.js";

const CLONE_NEWNET = 0x40000000;
// Of the calling thread, not of the process: setns moves one thread.
const OWN_PATH = "/proc/thread-self/ns/net";

const HINTS = {
  EPERM: "run as root, or inside `unshare --user --map-root-user`",
  ENOENT: "the namespace is gone: the process that held it has ended",
  EACCES: "the namespace belongs to another user",
};

function openNamespace(path: string): number {
  return checked(open(path, O_RDONLY | O_CLOEXEC), `open ${path}`, HINTS);
}

/** Moves the calling thread into a namespace, such as /proc/PID/ns/net, for good. */
function enterNamespace(path: string): void {
  const fd = openNamespace(path);
  try {
    checked(setns(fd, CLONE_NEWNET), `setns ${path}`, { ...HINTS, EINVAL: "this is the file of no network namespace" });
  } finally {
    close(fd);
  }
}

/**
 * Does some synchronous work inside a namespace and comes back. What the work opened stays usable:
 * a socket or a TAP belongs to the namespace it was made in.
 */
export function inNamespace<T>(path: string, work: () => T): T {
  const own = openNamespace(OWN_PATH);
  try {
    // Entering where we are changes nothing, but needs the very right that coming back needs: an
    // ordinary user's namespace may be entered and its door then be shut behind us.
    checked(setns(own, CLONE_NEWNET), "setns to the own namespace", {
      EPERM: `without this right there is no way back: start the program inside (nsenter --net=${path} ...)`,
    });
    enterNamespace(path);
    try {
      return work();
    } finally {
      checked(setns(own, CLONE_NEWNET), "setns back to the own namespace");
    }
  } finally {
    close(own);
  }
}
