// Numbers and addresses as text: what is right is read, what is wrong or cut short is not.

import { BAD, readAddress4, readAddress6, readNumber, value, writeNumber } from "../../../assembly/helper/text";
import { get16, get32 } from "../../../assembly/wire/field";
import { SCRATCH } from "../world";

const TO: usize = SCRATCH + 256;
const BAR: u32 = 0x7c;

/** Writes a text; answers the place after it. */
function write(text: string): usize {
  return SCRATCH + String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, SCRATCH);
}

/** The eight groups of an address, or "bad". */
function six(text: string): string {
  let end = write(text + "|");
  if (readAddress6(SCRATCH, end, BAR, TO) == BAD) return "bad";
  let groups = "";
  for (let i: usize = 0; i < 16; i += 2) groups += get16(TO + i).toString(16) + (i < 14 ? ":" : "");
  return groups;
}

describe("readNumber", () => {
  it("reads up to the limit, and needs something behind the number", () => {
    expect(readNumber(SCRATCH, write("255,"), 255)).toBe(SCRATCH + 3);
    expect(value).toBe(255);
    expect(readNumber(SCRATCH, write("256,"), 255)).toBe(BAD);
    expect(readNumber(SCRATCH, write("255"), 255)).toBe(BAD, "perhaps more digits follow in the next segment");
    expect(readNumber(SCRATCH, write(",1"), 255)).toBe(BAD);
    expect(readNumber(SCRATCH, write("99999999999999999999,"), 65535)).toBe(BAD);
    expect(readNumber(SCRATCH, write("65535|"), 65535)).toBe(SCRATCH + 5);
    expect(value).toBe(65535);
  });
});

describe("readAddress4", () => {
  it("reads four numbers with the separator asked for", () => {
    expect(readAddress4(SCRATCH, write("10,0,2,12,"), 0x2c, TO)).toBe(SCRATCH + 9);
    expect(get32(TO + 12)).toBe(0x0a00020c);
    expect(get32(TO + 8)).toBe(0xffff);
    expect(readAddress4(SCRATCH, write("10.0.2.12|"), 0x2e, TO)).toBe(SCRATCH + 9);
    expect(readAddress4(SCRATCH, write("10.0.2.12|"), 0x2c, TO)).toBe(BAD);
    expect(readAddress4(SCRATCH, write("10.0.2|"), 0x2e, TO)).toBe(BAD);
    expect(readAddress4(SCRATCH, write("10.0.2.300|"), 0x2e, TO)).toBe(BAD);
    expect(readAddress4(SCRATCH, write("10.0.2."), 0x2e, TO)).toBe(BAD);
  });
});

describe("readAddress6", () => {
  it("reads every form of RFC 4291", () => {
    expect(six("fd00:1::50")).toBe("fd00:1:0:0:0:0:0:50");
    expect(six("1:2:3:4:5:6:7:8")).toBe("1:2:3:4:5:6:7:8");
    expect(six("::")).toBe("0:0:0:0:0:0:0:0");
    expect(six("::1")).toBe("0:0:0:0:0:0:0:1");
    expect(six("1::")).toBe("1:0:0:0:0:0:0:0");
    expect(six("1:2:3:4:5:6:7::")).toBe("1:2:3:4:5:6:7:0");
    expect(six("FD00::AbCd")).toBe("fd00:0:0:0:0:0:0:abcd");
    expect(six("::ffff:10.0.2.12")).toBe("0:0:0:0:0:ffff:a00:20c");
    expect(six("1:2:3:4:5:6:10.0.2.12")).toBe("1:2:3:4:5:6:a00:20c");
  });

  it("refuses everything else", () => {
    let wrong = ["", ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "1:", ":1", "g::1", "1 ::2",
      "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:10.0.2.12", "::10.0.2", "::256.0.0.1", "::1.2.3.4:5"];
    for (let i = 0; i < wrong.length; i++) assert(six(wrong[i]) == "bad", `"${wrong[i]}" is ${six(wrong[i])}`);
    expect(readAddress6(SCRATCH, write("fd00::1"), BAR, TO)).toBe(BAD, "cut short");
    expect(readAddress6(SCRATCH, SCRATCH, BAR, TO)).toBe(BAD, "nothing");
  });
});

describe("writeNumber", () => {
  it("writes what readNumber reads", () => {
    for (let number: u32 = 0; number < 1000; number++) {
      let end = writeNumber(SCRATCH, number);
      store<u8>(end, 0x2c);
      assert(readNumber(SCRATCH, end + 1, 999) == end && value == number, `${number}`);
      assert(end - SCRATCH == (number > 99 ? 3 : number > 9 ? 2 : 1), `digits of ${number}`);
    }
  });
});
