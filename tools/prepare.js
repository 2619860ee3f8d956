// Makes a checkout ready to run: installs packages and builds, each only when something changed.
// `npm start`, `npm test` and `npm run bench` call it first, so that a fresh clone needs nothing else.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const at = (...parts) => join(root, ...parts);

function run(what, command, args) {
  process.stderr.write(`${what} ...\n`);
  const result = spawnSync(command, args, { cwd: root, encoding: "utf8", shell: false });
  if (result.status === 0) return;
  process.stderr.write(`${result.stdout ?? ""}${result.stderr ?? ""}`);
  process.stderr.write(`${what} failed: ${command} ${args.join(" ")}\n`);
  process.exit(1);
}

function newest(folder, accept) {
  let latest = 0;
  if (!existsSync(at(folder))) return latest;
  for (const entry of readdirSync(at(folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) latest = Math.max(latest, newest(path, accept));
    else if (accept(entry.name)) latest = Math.max(latest, statSync(at(path)).mtimeMs);
  }
  return latest;
}

const stamp = (name) => (existsSync(at("build", name)) ? statSync(at("build", name)).mtimeMs : 0);
const mark = (name) => writeFileSync(at("build", name), `${new Date().toISOString()}\n`);
const typescript = (name) => name.endsWith(".ts");
const binary = (name) => at("node_modules", ".bin", name);

function install() {
  const done = at("node_modules", ".package-lock.json");
  const lock = at("package-lock.json");
  if (existsSync(done) && statSync(done).mtimeMs >= statSync(lock).mtimeMs) return;
  // The npm that called us: a package brings an old npm of its own, which comes first in a script's PATH.
  const npm = process.env.npm_execpath;
  const [command, before] = npm === undefined ? ["npm", []] : [process.execPath, [npm]];
  run("Installing packages", command, [...before, "ci", "--no-fund", "--no-audit"]);
}

function buildEngine() {
  const changed = Math.max(newest("assembly", typescript), statSync(at("asconfig.json")).mtimeMs);
  if (stamp(".engine") >= changed) return;
  run("Building engine.wasm", process.execPath, [binary("asc"), "--target", "release"]);
  run("Building engine.debug.wasm", process.execPath, [binary("asc"), "--target", "debug"]);
  mark(".engine");
}

function buildHost() {
  const sources = ["host", "bench", "tests", "assembly/abi"].map((folder) => newest(folder, typescript));
  const changed = Math.max(...sources, statSync(at("tsconfig.json")).mtimeMs);
  if (stamp(".host") >= changed) return;
  run("Building the host", process.execPath, [binary("tsc"), "-p", "tsconfig.json"]);
  for (const folder of ["host", "bench", "tests", "assembly"]) forgetMoved(folder);
  nameExtensions();
  allowPrograms();
  mark(".host");
}

/** What was built from a file that is there no more: a test of it would still be run. */
function forgetMoved(folder) {
  for (const entry of readdirSync(at("build", folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) forgetMoved(path);
    else if (!existsSync(at(path.replace(/\.(js|js\.map|d\.ts)$/, ".ts")))) rmSync(at("build", path));
  }
}

/** Programs can be called by a symbolic link of any name, also without npm having linked them. */
function allowPrograms() {
  const { bin } = JSON.parse(readFileSync(at("package.json"), "utf8"));
  for (const file of new Set(Object.values(bin))) chmodSync(at(file), 0o755);
}

/** abi/ is written without file extensions, as asc wants it; Node wants them. */
function nameExtensions() {
  const folder = at("build", "assembly", "abi");
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".js"))) {
    const text = readFileSync(join(folder, name), "utf8");
    writeFileSync(join(folder, name), text.replace(/(from "\.\/[a-z]+)"/g, '$1.js"'));
  }
}

install();
mkdirSync(at("build"), { recursive: true });
buildEngine();
buildHost();
