// One hop less: the amended checksum is the one that a sum over the new header gives, for every checksum.

import { takeHop } from "../../../assembly/forward/hop";
import { Packet } from "../../../assembly/packet/packet";
import { checksum } from "../../../assembly/wire/checksum";
import { freshEngine, ip4, SCRATCH } from "../world";

const L3: usize = SCRATCH;

describe("takeHop", () => {
  it("leaves the checksum of the new header, whatever the old one was", () => {
    freshEngine();
    let packet = Packet.at(0);
    packet.l3 = <u32>L3;
    packet.family = 4;
    memory.fill(L3, 0, 20);
    store<u16>(L3, 0x45);
    store<u8>(L3, 6, 9);
    store<u32>(L3, ip4(10, 0, 0, 1), 12);
    store<u32>(L3, ip4(10, 0, 1, 100), 16);
    let wrong: u32 = 0;
    // The identification goes through all values, and so does the checksum.
    for (let identification: u32 = 0; identification < 0x10000; identification++) {
      store<u16>(L3, <u16>identification, 4);
      store<u8>(L3, 64, 8);
      store<u16>(L3, 0, 10);
      store<u16>(L3, <u16>checksum(L3, 20), 10);
      takeHop(packet);
      let amended = load<u16>(L3, 10);
      store<u16>(L3, 0, 10);
      if (<u32>amended != checksum(L3, 20)) wrong++;
    }
    expect(wrong).toBe(0);
  });
});
