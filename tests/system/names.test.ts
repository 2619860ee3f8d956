// The command through a symbolic link named ipvsadm, in a shell, where hosts and services have names: every text and exit
// code as the real program's (recording cli_edges, its section "names").

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { Namespace } from "../../host/lab/namespace.js";
import { ended } from "../../host/lab/process.js";
import { describeTexts, readTexts } from "../oracle/texts.js";
import { inNamespaces, works } from "./inside.js";
import { Lvsd, writeConfig } from "./lvsd.js";
import { makeFolder } from "./rig.js";

const PROGRAM = fileURLToPath(new URL("../../host/cli/main.js", import.meta.url));

// A command a line; what it says goes to files named by its number. /etc is the shell's own: the first command covers it.
const SHELL = 'n=0; while read -r line; do n=$((n + 1)); sh -c "$line" </dev/null >$n.out 2>$n.err; echo $? >$n.rc; done';

/** A shell of a mount namespace of its own, in a folder, with the link first in its path. */
async function runAll(folder: string, socketPath: string, commands: readonly string[]): Promise<void> {
  const child = spawn("unshare", ["--mount", "sh", "-c", SHELL], {
    cwd: folder, stdio: ["pipe", "inherit", "inherit"],
    env: { PATH: `${join(folder, "bin")}:${process.env["PATH"]}`, LVSD_SOCKET: socketPath },
  });
  child.stdin?.end(commands.map((one) => `${one}\n`).join(""));
  await once(child, "exit");
}

async function serve(context: TestContext, folder: string): Promise<string> {
  const namespace = await Namespace.create(`lvs-${process.pid}-names`);
  context.after(() => namespace.close());
  const [config, socketPath] = [join(folder, "lvsd.yaml"), join(folder, "lvsd.sock")];
  writeConfig(config, "one", []);
  const lvsd = await Lvsd.start(namespace, ["--config", config, "--socket", socketPath]);
  context.after(() => { lvsd.child.kill("SIGKILL"); return ended(lvsd.child); });
  assert.ok(lvsd.isReady, lvsd.log);
  return socketPath;
}

const skip = works("unshare", ["--mount", "mount", "-t", "tmpfs", "names", "/etc"]) ? false : "here no file system can be mounted over /etc";

inNamespaces("names", import.meta.url, () => {
  it("a link named ipvsadm says what ipvsadm says, by name", { skip }, async (context) => {
    const folder = makeFolder(context as TestContext);
    mkdirSync(join(folder, "bin"));
    symlinkSync(PROGRAM, join(folder, "bin", "ipvsadm"));
    // Node is found by a name, too.
    symlinkSync(process.execPath, join(folder, "bin", "node"));
    const texts = readTexts("names", "cli_edges.txt");
    await runAll(folder, await serve(context as TestContext, folder), texts.map((one) => one.command));
    const said = (number: number, what: string): string => readFileSync(join(folder, `${number}.${what}`), "utf8");
    const differences = texts.flatMap((text, at) => {
      const got = { exitCode: Number(said(at + 1, "rc")), stdout: said(at + 1, "out"), stderr: said(at + 1, "err") };
      const expected = { exitCode: text.exitCode, stdout: text.stdout, stderr: text.stderr };
      return isDeepStrictEqual(got, expected) ? [] : [describeTexts(text.command, expected, got)];
    });
    assert.ok(texts.length > 60, "the section is there");
    assert.equal(differences.length, 0, differences.join("\n"));
  });
});
