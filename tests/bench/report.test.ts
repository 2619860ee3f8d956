// Ratios, medians, goals and tables of bench:system, from figures that are known.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ratio, summarize, turns } from "../../bench/lib/compare.js";
import { choose, CONTESTANTS, isOurs, MEASURES, TARGETS } from "../../bench/system/catalog.js";
import { bestOfOurs, figureTable, report, targetTable } from "../../bench/system/report.js";
import type { Results } from "../../bench/system/results.js";

const RESULTS: Results = {
  machine: ["- machine: 2 x something"], congestion: "reno", seconds: 2, repetitions: 3, halfLoad: 20000,
  directors: [{ name: "lvs-tap", about: "a" }, { name: "lvs-uring", about: "b" }, { name: "nft", about: "c" }, { name: "haproxy", about: "d" }],
  measures: [{ name: "requests", about: "" }, { name: "low", about: "", rounds: 2 }],
  figures: [
    {
      name: "requests", unit: "1000/s", scale: 1000, isCost: false, measure: "requests",
      // The second repetition met a busy neighbour: ratios inside it are the same as in the others.
      series: {
        "lvs-tap": [40000, 20000, null],
        "lvs-uring": [44000, 22000, 46000],
        "nft": [50000, 25000, 50000],
        "haproxy": [40000, 20000, 40000],
        "lvs-auto": [40000, 20000, 42000],
      },
    },
    {
      name: "p99, low load", unit: "us", scale: 1, isCost: true, measure: "low",
      series: { "lvs-tap": [300, 300, 300], "lvs-uring": [400, 400, 400], "haproxy": [200, 400, 300] },
    },
  ],
  costs: [{ measure: "requests", work: "million requests", series: { "lvs-tap": [20, 21, null] } }],
  missing: ["nginx: not installed: nginx (package nginx-light)"],
};

test("a ratio is taken inside each repetition, and one that failed does not count", () => {
  assert.equal(ratio([10, 20, 30], [10, 10, 10]), 2);
  assert.equal(ratio([10, undefined, 30], [20, 1, 20]), 1);
  assert.equal(ratio([undefined], [5]), undefined);
  assert.equal(ratio([5], [0]), undefined);
});

test("a summary leaves failures out, and there is none when all failed", () => {
  assert.deepEqual(summarize([3, undefined, 1, 2]), { median: 2, best: 3, worst: 1, count: 3 });
  assert.equal(summarize([undefined, Number.NaN]), undefined);
});

test("everybody has each place once: repetition after repetition another one begins", () => {
  const orders = [0, 1, 2].map((repetition) => turns(3, repetition));
  assert.deepEqual(orders, [[0, 1, 2], [1, 2, 0], [2, 0, 1]]);
});

test("the table has a row for each figure of each director that has one, with its ratios", () => {
  const cells = figureTable(RESULTS).split("\n").slice(2).map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  assert.deepEqual(cells.map(([figure, director]) => `${figure} ${director}`), [
    "requests, 1000/s lvs-tap", "requests, 1000/s lvs-uring", "requests, 1000/s nft", "requests, 1000/s haproxy",
    "p99, low load, us lvs-tap", "p99, low load, us lvs-uring", "p99, low load, us haproxy",
  ]);
  assert.deepEqual(cells[0]?.slice(2), ["30.0", "40.0", "1.00", "0.80", "-", "20.5"]);
  assert.deepEqual(cells[1]?.slice(2), ["44.0", "46.0", "1.10", "0.88", "-", "-"]);
  // Of a cost the least is the best.
  assert.deepEqual(cells[6]?.slice(2), ["300", "200", "1.00", "-", "-", "-"]);
});

test("a goal takes the best of our drivers: the most of a rate, the least of a cost", () => {
  assert.deepEqual(bestOfOurs(RESULTS, { figure: "requests", rival: "nft", ratio: 0.9 }), { driver: "lvs-uring", ratio: 0.88 });
  assert.deepEqual(bestOfOurs(RESULTS, { figure: "p99, low load", rival: "haproxy", ratio: 1 }), { driver: "lvs-tap", ratio: 1 });
  assert.equal(bestOfOurs(RESULTS, { figure: "connections", rival: "nft", ratio: 1 }), undefined);
});

test("a goal is met at its edge and not below it, and one without figures is not listed", () => {
  const rows = targetTable(RESULTS).split("\n").slice(2).map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  assert.deepEqual(rows, [
    ["requests by haproxy", ">= 1.1", "1.10", "lvs-uring", "yes", "1.00"],
    ["p99, low load by haproxy", "<= 1.0", "1.00", "lvs-tap", "yes", "-"],
    ["requests by nft", ">= 0.9", "0.88", "lvs-uring", "no", "0.80"],
  ]);
});

test("the report says what was left out, and when", () => {
  const text = report(RESULTS);
  assert.match(text, /- left out: nginx: not installed: nginx \(package nginx-light\)/);
  assert.match(text, /3 interleaved repetitions of 2 s for each figure, 6 of p99, low load; half load: about 20000 requests\/s/);
  assert.match(text, /TCP's congestion control: reno/);
});

test("--only takes directors and measures, all of a kind of which none is named, and refuses what is neither", () => {
  assert.deepEqual(choose(undefined), { contestants: CONTESTANTS, measures: MEASURES });
  const { contestants, measures } = choose("haproxy, requests,lvs-tap");
  assert.deepEqual([contestants.map(({ name }) => name), measures.map(({ name }) => name)], [["lvs-tap", "haproxy"], ["requests"]]);
  assert.equal(choose("bulk").contestants, CONTESTANTS);
  assert.throws(() => choose("haproxy,squid"), /there is no "squid"; there are: lvs-auto, .*requests/);
});

test("every goal names a figure and a rival that exist, and somebody of ours can reach it", () => {
  const figures = MEASURES.flatMap((measure) => measure.figures.map(({ name }) => ({ name, kind: measure.kind })));
  for (const { figure, rival } of TARGETS) {
    const kind = figures.find(({ name }) => name === figure)?.kind;
    assert.ok(kind, figure);
    for (const who of [(name: string) => name === rival, isOurs]) {
      assert.ok(CONTESTANTS.some(({ name, takes }) => who(name) && takes.includes(kind)), `${figure} by ${rival}`);
    }
  }
});
