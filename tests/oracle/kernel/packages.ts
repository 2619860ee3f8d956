// A guest's files: Debian packages unpacked into a folder. Nothing is installed on this machine.

import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const source = new URL("../../../../tests/oracle/kernel/", import.meta.url);

/** What the guest's programs are made of. The kernel's own package goes to a folder of its own. */
const KERNEL = "user-mode-linux";
const PACKAGES = [
  "busybox-static", "dash", "libc6", "ipvsadm", "libnl-3-200", "libnl-genl-3-200", "libpopt0",
  "iproute2", "libbpf1", "libelf1", "libbsd0", "libcap2", "libdb5.3", "libmd0", "libselinux1", "libpcre2-8-0", "zlib1g",
  "iptables", "libip4tc2", "libip6tc2", "libxtables12", "libmnl0", "libnetfilter-conntrack3", "libnfnetlink0", "libnftnl11", "ethtool",
];
/** Programs that busybox has too: both are asked, each by a name of its own. */
const ASIDE = [{ name: "procps", program: "sbin/sysctl", as: "procps-sysctl" }];
const MOUNT_POINTS = ["proc", "sys", "dev", "tmp", "run", "etc"];
const COMMAND_MS = 120_000;

/** Where a prepared guest lies. */
export interface GuestFiles { kernel: string; root: string; clock: string }

function run(program: string, words: string[], folder: string): string {
  const done = spawnSync(program, words, { cwd: folder, encoding: "utf8", timeout: COMMAND_MS });
  if (done.error) throw new Error(`${program}: ${done.error.message}`);
  if (done.status !== 0) throw new Error(`${program} ${words.join(" ")}: ${done.stderr.trim()}`);
  return done.stdout;
}

function unpack(name: string, cache: string, target: string): void {
  const archives = join(cache, "packages");
  mkdirSync(archives, { recursive: true });
  const find = (): string | undefined => readdirSync(archives).find((file) => file.startsWith(`${name}_`) && file.endsWith(".deb"));
  if (find() === undefined) run("apt-get", ["-q", "download", name], archives);
  const file = find();
  if (file === undefined) throw new Error(`apt-get download ${name} left no file`);
  run("dpkg", ["-x", join(archives, file), target], cache);
}

/** Gives every program of busybox that no package brought its name. */
function linkPrograms(root: string): void {
  const folders = ["bin", "sbin", "usr/bin", "usr/sbin"].map((folder) => join(root, folder));
  for (const name of run(join(root, "bin/busybox"), ["--list"], root).trim().split("\n")) {
    if (folders.some((folder) => existsSync(join(folder, name)))) continue;
    symlinkSync("/bin/busybox", join(root, "bin", name));
  }
  // Where the kernel looks when it needs a scheduler's module.
  symlinkSync("/bin/busybox", join(root, "sbin/modprobe"));
}

function buildRoot(kernelFolder: string, root: string, cache: string): void {
  for (const name of PACKAGES) unpack(name, cache, root);
  for (const { name, program, as } of ASIDE) {
    const folder = join(cache, "aside");
    unpack(name, cache, folder);
    copyFileSync(join(folder, program), join(root, "sbin", as));
    rmSync(folder, { recursive: true });
  }
  for (const name of MOUNT_POINTS) mkdirSync(join(root, name), { recursive: true });
  linkPrograms(root);
  cpSync(join(kernelFolder, "usr/lib/uml/modules"), join(root, "lib/modules"), { recursive: true });
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0::/:/bin/sh\n");
  writeFileSync(join(root, "etc/group"), "root:x:0:\n");
}

/** Compiles what is to be preloaded into a program. */
function preloadable(name: string, target: string): void {
  run("cc", ["-O2", "-Wall", "-shared", "-fPIC", "-o", target, fileURLToPath(new URL(name, source))], dirname(target));
}

/** Prepares a guest below `cache`, downloading only what is not there yet. */
export function prepareGuest(cache: string): GuestFiles {
  mkdirSync(cache, { recursive: true });
  const kernelFolder = join(cache, "kernel");
  const files = { kernel: join(kernelFolder, "usr/bin/linux.uml"), root: join(cache, "root"), clock: join(cache, "clock.so") };
  const complete = join(cache, "complete");
  const contents = [KERNEL, ...PACKAGES, ...ASIDE.map((one) => one.name)].join("\n");
  if (!existsSync(complete) || readFileSync(complete, "utf8") !== contents) {
    process.stderr.write(`Preparing the guest kernel in ${cache} ...\n`);
    // A root left half-made would boot half-way.
    for (const folder of [kernelFolder, files.root]) rmSync(folder, { recursive: true, force: true });
    unpack(KERNEL, cache, kernelFolder);
    buildRoot(kernelFolder, files.root, cache);
    writeFileSync(complete, contents);
  }
  // These are ours and may have changed since.
  copyFileSync(fileURLToPath(new URL("init.sh", source)), join(files.root, "init"));
  chmodSync(join(files.root, "init"), 0o755);
  preloadable("clock.c", files.clock);
  preloadable("resident.c", join(files.root, "lib/resident.so"));
  return files;
}
