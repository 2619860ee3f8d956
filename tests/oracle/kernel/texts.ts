// npm run oracle:texts -- FILE.txt [--cache FOLDER]
// What the real ipvsadm says to each command of a file, in the form of recordings/cli*.txt, on standard output. The file has
// one command a line, or is such a recording: its "$" lines are played again, section by section.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { recordedConfig } from "../recording.js";
import { Guest } from "./guest.js";
import { prepareGuest } from "./packages.js";
import { readOptions } from "../../options.js";

const USAGE = "npm run oracle:texts -- FILE.txt [--cache FOLDER]";
const { values, positionals } = readOptions(USAGE, { allowPositionals: true, options: { cache: { type: "string", default: "build/oracle" } } });
const [file] = positionals;
if (file === undefined || positionals.length > 1) {
  process.stderr.write(`usage: ${USAGE}\n`);
  process.exit(2);
}

const marked = (mark: string, text: string): string =>
  (text === "" ? [] : text.replace(/\n$/, "").split("\n")).map((line) => `${mark}${line}\n`).join("");

const guest = Guest.boot(prepareGuest(resolve(values.cache)), recordedConfig());
try {
  for (const section of readFileSync(file, "utf8").split(/^(?=######## )/m).filter((one) => one.trim() !== "")) {
    const recorded = section.startsWith("#");
    const lines = section.split("\n").filter((one) => (recorded ? one.startsWith("$ ") : one !== ""));
    if (recorded) process.stdout.write(section.slice(0, section.indexOf("\n") + 1));
    for (const line of lines.map((one) => (recorded ? one.slice(2) : one))) {
      // A daemon's thread begins and ends in its own time.
      if (line.includes("daemon")) guest.clock.thaw();
      const { exitCode, stdout, stderr } = guest.run(line);
      if (!guest.clock.stands) guest.clock.freeze();
      process.stdout.write(`$ ${line}\n[exit ${exitCode}]\n${marked("|", stdout)}${marked("!", stderr)}\n`);
    }
    guest.reset();
  }
} finally {
  guest.close();
}
