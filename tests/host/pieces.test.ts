// Pieces of what leaves with an address of the director's: each packet's have a name of their own, or their receiver
// puts two packets into one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { buildIp, Exchange } from "./exchange.js";

const UDP = 17;
const FRAGMENT_HEADER_AT = 54;
const WHOLE = 0;

test("IPv4 packets that do not fit into an IPv6 tunnel leave in pieces, each packet's with another identification", async () => {
  const exchange = await Exchange.begin(
    "ipvsadm -A -u 10.0.1.100:53 -s rr; ipvsadm -a -u 10.0.1.100:53 -r [fd00:2::11]:53 -i; ipvsadm -a -u 10.0.1.100:53 -r [fd00:2::12]:53 -i");
  const names: number[] = [];
  for (let port = 4000; port < 4010; port++) {
    const datagram = Buffer.alloc(1480, port & 255);
    datagram.writeUInt16BE(port, 0);
    datagram.writeUInt16BE(53, 2);
    datagram.writeUInt16BE(datagram.length, 4);
    datagram.writeUInt16BE(0, 6);
    const sent = exchange.fromClient(buildIp("10.0.1.50", "10.0.1.100", UDP, datagram, { id: 7, word: WHOLE }));
    assert.equal(sent.length, 2, "two pieces");
    const [one = -1, other = -2] = sent.map(({ bytes }) => Buffer.from(bytes).readUInt32BE(FRAGMENT_HEADER_AT + 4));
    assert.equal(one, other, "pieces of one packet");
    names.push(one);
  }
  assert.equal(new Set(names).size, names.length, `all different: ${names.join()}`);
});
