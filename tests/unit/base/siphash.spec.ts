import { siphash13, siphash13Four } from "../../../assembly/base/siphash";

const KEY: u64 = 2654435761;

describe("siphash", () => {
  it("hashes four words side by side as one after the other", () => {
    let word: u32 = 1;
    for (let turn = 0; turn < 1000; turn++) {
      let words = i32x4(0, 0, 0, 0);
      let alone = i32x4(0, 0, 0, 0);
      words = i32x4.replace_lane(words, 0, (word = word * 1664525 + 1013904223));
      alone = i32x4.replace_lane(alone, 0, siphash13(word, KEY));
      words = i32x4.replace_lane(words, 1, (word = word * 1664525 + 1013904223));
      alone = i32x4.replace_lane(alone, 1, siphash13(word, KEY));
      words = i32x4.replace_lane(words, 2, (word = word * 1664525 + 1013904223));
      alone = i32x4.replace_lane(alone, 2, siphash13(word, KEY));
      words = i32x4.replace_lane(words, 3, (word = word * 1664525 + 1013904223));
      alone = i32x4.replace_lane(alone, 3, siphash13(word, KEY));
      expect(i32x4.all_true(i32x4.eq(siphash13Four(words, KEY), alone))).toBe(true);
    }
  });
});
