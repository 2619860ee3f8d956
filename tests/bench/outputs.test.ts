// What the tools of bench:system print is read right, and what is not theirs is refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readIperf } from "../../bench/lib/iperf.js";
import { replaceBetween } from "../../bench/lib/markers.js";
import { readWrk } from "../../bench/lib/wrk.js";

const WRK = `Running 2s test @ http://10.60.1.100:80/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.36ms    1.02ms  24.52ms   92.10%
    Req/Sec    46.81k     2.11k   50.03k    71.43%
  Latency Distribution
     50%    1.20ms
     75%    1.62ms
     90%    2.05ms
     99%  845.00us
  97776 requests in 2.10s, 15.11MB read
Requests/sec:  46560.12
Transfer/sec:      7.19MB
`;

test("wrk: rate, requests, and percentiles in microseconds whatever unit it chose", () => {
  assert.deepEqual(readWrk(WRK), { perSecond: 46560.12, requests: 97776, failures: 0, p50Us: 1200, p99Us: 845 });
  assert.equal(readWrk(WRK.replace("1.20ms", "1.50s")).p50Us, 1_500_000);
});

test("wrk: socket errors of every kind and refused requests are failures", () => {
  const text = WRK.replace("Requests/sec", "  Socket errors: connect 1, read 20, write 300, timeout 4000\n  Non-2xx or 3xx responses: 50000\nRequests/sec");
  assert.equal(readWrk(text).failures, 54321);
});

test("wrk: what has no rate or no distribution is refused with the reason", () => {
  assert.throws(() => readWrk("unable to connect to 10.60.1.100:80 Connection refused"), /no Requests\/sec.*Connection refused/);
  assert.throws(() => readWrk(WRK.replace(/^ +99%.*\n/m, "")), /no 99% of its latency/);
});

test("iperf3: what the receiver counted, not what the sender believed", () => {
  const text = JSON.stringify({ end: {
    sum_sent: { bytes: 9e9, seconds: 2, bits_per_second: 36e9 }, sum_received: { bytes: 2e9, seconds: 2, bits_per_second: 8e9 },
  } });
  assert.deepEqual(readIperf(text), { gigabitsPerSecond: 8, bytes: 2e9 });
});

test("iperf3: its own error is told, and text or half a document refused", () => {
  assert.throws(() => readIperf('{"error":"the server is busy running a test"}'), /iperf3: the server is busy/);
  assert.throws(() => readIperf("iperf3: command not found"), /printed no JSON: iperf3: command not found/);
  assert.throws(() => readIperf('{"end":{}}'), /nothing about what was received/);
});

test("generated text replaces only what is between its own markers", () => {
  const document = "before\n<!-- x: begin -->\nold\n<!-- x: end -->\nafter\n<!-- y: begin -->\nother\n<!-- y: end -->\n";
  const replaced = replaceBetween(document, "x", "new\nlines\n");
  assert.equal(replaced, document.replace("old", "new\nlines"));
  assert.equal(replaceBetween(replaced, "x", "old"), document);
  assert.throws(() => replaceBetween(document, "z", "new"), /<!-- z: begin -->/);
  assert.throws(() => replaceBetween("<!-- x: end --><!-- x: begin -->", "x", "new"), /followed by/);
});
