// A real FTP server of a test: vsftpd with a configuration and folders of its own.

import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Namespace } from "../../host/lab/namespace.js";
import { startServer } from "./foreign.js";

const CONTROL_PORT = 21;
const FOLDER_MODE = 0o755;
const UPLOAD_MODE = 0o777;

// Anonymous users are somebody with a home that exists: vsftpd goes there before it goes to its folder.
const SETTINGS = {
  listen_ipv6: "YES", background: "NO", listen_port: CONTROL_PORT,
  anonymous_enable: "YES", local_enable: "NO", no_anon_password: "YES", ftp_username: "daemon", nopriv_user: "nobody",
  write_enable: "YES", anon_upload_enable: "YES", anon_umask: "022",
  connect_from_port_20: "YES",
};

/** Serves `files` and takes what is put into upload/; answers the folder that anonymous users see. */
export async function startVsftpd(
  context: TestContext, namespace: Namespace, base: string, files: Readonly<Record<string, Buffer>>,
): Promise<string> {
  const seen = join(base, "seen");
  for (const path of [base, seen, join(base, "empty")]) {
    mkdirSync(path, { recursive: true });
    chmodSync(path, FOLDER_MODE);
  }
  mkdirSync(join(seen, "upload"));
  chmodSync(join(seen, "upload"), UPLOAD_MODE);
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(seen, name), bytes, { mode: 0o644 });
  const settings = { ...SETTINGS, anon_root: seen, secure_chroot_dir: join(base, "empty") };
  const file = join(base, "vsftpd.conf");
  writeFileSync(file, Object.entries(settings).map(([name, value]) => `${name}=${value}\n`).join(""));
  await startServer(context, namespace, "vsftpd", [file], { table: "tcp6", port: CONTROL_PORT });
  return seen;
}
