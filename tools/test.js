// Runs every test and says in its last line how many passed, failed and were skipped.
import { spawnSync } from "node:child_process";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

function find(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? find(join(folder, entry.name)) : entry.name.endsWith(".test.js") ? [join(folder, entry.name)] : []);
}

const counts = { passed: 0, failed: 0, skipped: 0 };

/** The engine's unit tests: as-pect compiles each file and runs it; tools/aspect-reporter.js counts. */
function runUnits() {
  const asp = join(root, "node_modules", "@as-pect", "cli", "bin", "asp.js");
  // The path of a transform is only found when the configuration's own path is absolute.
  const args = [asp, "--no-logo", "--as-config", join(root, "as-pect.asconfig.json")];
  const result = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  const output = `${result.stdout}${result.stderr}`;
  const lines = [...output.matchAll(/^# as-pect (\d+) (\d+) (\d+)$/gm)];
  for (const [, passed, failed, skipped] of lines) {
    counts.passed += Number(passed);
    counts.failed += Number(failed);
    counts.skipped += Number(skipped);
  }
  process.stdout.write(output.replace(/^# as-pect .*\n/gm, ""));
  // A file that does not compile has no line of its own.
  if (lines.length === 0 || (result.status !== 0 && counts.failed === 0)) counts.failed++;
}

runUnits();
const stream = run({ files: find(join(root, "build", "tests")), concurrency: 1 });
stream.on("test:pass", (event) => {
  if (event.details?.type === "suite") return;
  if (event.skip !== undefined || event.todo !== undefined) counts.skipped++;
  else counts.passed++;
});
stream.on("test:fail", () => counts.failed++);
stream.compose(spec).pipe(process.stdout);
stream.on("end", () => {
  setImmediate(() => {
    process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
    process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1;
  });
});
