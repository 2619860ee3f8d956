// The source itself: who may know whom, nothing forgotten, nothing too long.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const LINES_MAX = 310;
const COLUMNS_MAX = 160;
/** The one description of memory and its names are read as a whole. */
const LONG = new Set(["assembly/abi/layout.ts", "assembly/abi/enums.ts"]);

/** Sources below a folder: no declarations, no data. */
function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? sources(path) : /\.(ts|m?js)$/.test(path) && !path.endsWith(".d.ts") ? [path] : [];
  });
}

const text = (path: string): string => readFileSync(join(root, path), "utf8");

/** Files of ours that a file imports; modules of Node and packages as they are named. */
function imports(path: string): string[] {
  const found = [...text(path).matchAll(/(?:from|import) "([^"]+)"|new URL\("(\.\/[^"]+\.js)"/g)].map((match) => match[1] ?? match[2] ?? "");
  return found.map((name) => (name.startsWith(".") ? `${relative(root, resolve(root, dirname(path), name)).replace(/\.(js|ts)$/, "")}.ts` : name));
}

const engine = sources("assembly");
const host = sources("host");
const users = [...sources("tests"), ...sources("bench")];
const tools = sources("tools");
const graph = new Map([...engine, ...host].map((path) => [path, imports(path)]));

function reach(entries: readonly string[]): Set<string> {
  const seen = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path) || !graph.has(path)) return;
    seen.add(path);
    graph.get(path)?.forEach(visit);
  };
  entries.forEach(visit);
  return seen;
}

/** A way through imports that comes back to where it began, if there is one. */
function circle(paths: readonly string[]): string[] {
  const done = new Set<string>();
  const way: string[] = [];
  const visit = (path: string): string[] => {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path];
    if (done.has(path) || !graph.has(path)) return [];
    way.push(path);
    for (const next of graph.get(path) ?? []) {
      const found = visit(next);
      if (found.length > 0) return found;
    }
    way.pop();
    done.add(path);
    return [];
  };
  for (const path of paths) {
    const found = visit(path);
    if (found.length > 0) return found;
  }
  return [];
}

test("no imports go in a circle, in the engine and on the host", () => {
  assert.deepEqual(circle(engine), []);
  assert.deepEqual(circle(host), []);
});

test("the engine: abi knows only itself, base and wire only abi; nobody knows engine, control and tick but index", () => {
  const outside = (folder: string, allowed: RegExp): string[] => {
    const paths = engine.filter((path) => path.startsWith(`assembly/${folder}/`));
    return paths.flatMap((path) => imports(path).filter((name) => !allowed.test(name)).map((name) => `${path} -> ${name}`));
  };
  assert.deepEqual(outside("abi", /^assembly\/abi\//), []);
  assert.deepEqual(outside("base", /^assembly\/(abi|base)\//), []);
  assert.deepEqual(outside("wire", /^assembly\/(abi|base|wire)\//), []);
  const tops = ["assembly/engine.ts", "assembly/control.ts", "assembly/tick.ts"];
  const known = engine.filter((path) => path !== "assembly/index.ts" && imports(path).some((name) => tops.includes(name)));
  assert.deepEqual(known, []);
});

test("the binding is portable: only abi and the control protocol, nothing of Node", () => {
  const allowed = /^(assembly\/abi\/|host\/engine\/|host\/protocol\.ts$)/;
  const foreign = host.filter((path) => path.startsWith("host/engine/")).flatMap((path) => imports(path).filter((name) => !allowed.test(name)));
  assert.deepEqual(foreign, []);
});

test("the command knows the control protocol and how addresses are written, not the director", () => {
  const allowed = /^(node:|host\/cli\/|host\/protocol\.ts$|host\/engine\/address\.ts$)/;
  const foreign = host.filter((path) => path.startsWith("host/cli/")).flatMap((path) => imports(path).filter((name) => !allowed.test(name)));
  assert.deepEqual(foreign, []);
});

test("folders of the host know those below them only", () => {
  const below: Record<string, readonly string[]> = {
    engine: [], io: ["engine"], cli: ["engine"], config: ["cli", "engine", "io"], pump: ["engine", "io"], lab: ["cli", "engine", "io"],
    replay: ["cli", "config", "engine", "io"], daemon: ["cli", "config", "engine", "io", "pump", "replay"],
  };
  const folderOf = (path: string): string | undefined => /^host\/(\w+)\//.exec(path)?.[1];
  const upwards = host.flatMap((path) => imports(path).filter((name) => {
    const [from, to] = [folderOf(path), folderOf(name)];
    return from !== undefined && to !== undefined && from !== to && !below[from]?.includes(to);
  }).map((name) => `${path} -> ${name}`));
  assert.deepEqual(upwards, []);
});

test("no file is forgotten: each is reached from a program, a test or a benchmark", () => {
  const entries = ["assembly/index.ts", "host/daemon/main.ts", "host/cli/main.ts", "host/lab/main.ts", "host/pump/thread.ts",
    ...host.filter((path) => path.startsWith("host/lab/") && /process\.argv|endWithParent\(\)|workerData/.test(text(path)))];
  const reached = reach([...entries, ...users.flatMap(imports)]);
  const unused = [...engine, ...host].filter((path) => !reached.has(path));
  assert.deepEqual(unused, []);
});

test("files are short enough to read, and nothing is of any type", () => {
  const files = [...engine, ...host].filter((path) => !LONG.has(path));
  assert.deepEqual(files.filter((path) => text(path).split("\n").length > LINES_MAX), []);
  const isWide = (path: string): boolean => text(path).split("\n").some((line) => line.length > COLUMNS_MAX);
  assert.deepEqual([...engine, ...host, ...users, ...tools].filter(isWide), []);
  assert.deepEqual(host.filter((path) => /: any[;,)=\]]|<any>|\bas any[;,)\]]/.test(text(path))), []);
});
