// Every text of sysctl about net.ipv4.vs: what the kernel takes, refuses and reads back, for each setting and each odd value, by
// both programs that were asked (recording cli_sysctls).

import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { SYNC_QUEUE_MAX } from "../../assembly/abi/limits.js";
import { NO_NAMES } from "../../host/cli/context.js";
import { sysctl } from "../../host/cli/sysctl.js";
import { ABSENT } from "../../host/cli/sysctls.js";
import { splitWords } from "../../host/cli/words.js";
import { perform } from "./perform.js";
import { createRecordedDirector } from "./recording.js";
import { describeTexts, readTexts } from "./texts.js";

/** The words by which lvsadm is asked what that program was asked. */
const PROGRAM = "procps-sysctl";
/** lvsadm's own: what is wrong in the program's line, help, a list without a name, and what it does not show. */
const OWN = new RegExp(`^${PROGRAM}( -w| ''| sync_ports| net.ipv4.vs\\.?| -w =3| -[xb] .*|.*= ?4)?$`);
/** What memory decides, there and here. */
const BY_MEMORY = new RegExp(`^(net\\.ipv4\\.vs\\.sync_qlen_max =) ([78]\\d\\d|${SYNC_QUEUE_MAX})$`, "gm");
/** Modules bring these; here they are always in. */
const BY_MODULE = /^net\.ipv4\.vs\.lblcr?_expiration = 86400\n/gm;
/** Kept as words of 32 bits here, and what is shown until the next value. */
const LONG_VALUES = /sync_qlen_max="(4294967296|18446744073709551615|18446744073709551616|abc||5x|x5)"/;
/** What is wrong in the line itself, and settings of others. */
const UNREAD = /^sysctl( -w| ''| sync_ports| -[xNb] .*| --.*| -w =3)?$|= ?4$/;

interface Said { exitCode: number; stdout: string; stderr: string }

const masked = ({ exitCode, stdout, stderr }: Said): Said => ({ exitCode, stdout: stdout.replace(BY_MEMORY, "$1 #"), stderr });

for (const section of ["values", "words"]) {
  test(`sysctl in scenarios: "${section}" of cli_sysctls.txt as recorded`, async () => {
    const replay = await createRecordedDirector();
    const differing: string[] = [];
    let compared = 0;
    for (const text of readTexts(section, "cli_sysctls.txt").filter((one) => !UNREAD.test(one.command))) {
      const { echo } = await perform(replay, { ev: "cmd", cmd: text.command });
      compared++;
      if (LONG_VALUES.test(text.command)) continue;
      const ours = { exitCode: echo.rc ?? 0, stdout: (echo.stdout ?? "").replace(/vs\.?$/.test(text.command) ? BY_MODULE : "", ""), stderr: echo.stderr ?? "" };
      if (!isDeepStrictEqual(masked(ours), masked(text))) differing.push(describeTexts(text.command, masked(text), masked(ours)));
    }
    assert.equal(differing.length, 0, differing.join("\n"));
    assert.ok(compared > 25);
  });
}

test("lvsadm sysctl: \"program\" of cli_sysctls.txt as recorded", async () => {
  const { director } = await createRecordedDirector();
  const differing: string[] = [];
  let compared = 0;
  for (const text of readTexts("program", "cli_sysctls.txt")) {
    if (OWN.test(text.command)) continue;
    const total = { exitCode: 0, stdout: "", stderr: "" };
    for (const part of text.command.split("; ")) {
      const result = await sysctl(splitWords(part).slice(1), { director, names: NO_NAMES, program: "lvsadm", input: async () => "" });
      total.exitCode = result.exitCode;
      total.stdout += result.stdout;
      total.stderr += result.stderr;
    }
    compared++;
    const expected = masked({ ...text, stderr: text.stderr.replaceAll(PROGRAM, "sysctl") });
    if (!isDeepStrictEqual(masked(total), expected)) differing.push(describeTexts(text.command, expected, masked(total)));
  }
  assert.equal(differing.length, 0, differing.join("\n"));
  assert.ok(compared > 40);
});

test("lvsadm sysctl lists every setting that has a meaning, and says why the others have none", async () => {
  const { director } = await createRecordedDirector();
  const listed = await sysctl([], { director, names: NO_NAMES, program: "lvsadm", input: async () => "" });
  const recorded = readTexts("words", "cli_sysctls.txt").find((one) => one.command === "sysctl net.ipv4.vs")?.stdout.trim().split("\n") ?? [];
  const names = recorded.map((line) => line.split(" = ")[0]?.replace("net.ipv4.vs.", "") ?? "");
  assert.equal(names.length, 28);
  for (const name of names) {
    const line = new RegExp(Object.hasOwn(ABSENT, name) ? `^# net\\.ipv4\\.vs\\.${name}: ` : `^net\\.ipv4\\.vs\\.${name} = `, "m");
    assert.match(listed.stdout, line);
  }
});
