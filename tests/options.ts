// The command lines of the programs among the tests. A wrong one is told in a line, with how it should be, and ends with 2.

import { parseArgs, type ParseArgsConfig } from "node:util";

const EXIT_USAGE = 2;
const NUMBER = /^\d+(\.\d+)?$/;

/** As parseArgs; `--help` prints the usage. What has a number for a default takes numbers only. */
export function readOptions<T extends ParseArgsConfig>(usage: string, config: T): ReturnType<typeof parseArgs<T>> {
  if (process.argv.slice(2).includes("--help")) {
    process.stdout.write(`usage: ${usage}\n`);
    process.exit(0);
  }
  try {
    const read = parseArgs(config);
    for (const [name, value] of Object.entries(read.values)) {
      const { default: usual } = config.options?.[name] ?? {};
      if (typeof usual === "string" && NUMBER.test(usual) && !NUMBER.test(String(value))) throw new TypeError(`--${name} ${String(value)} is not a number`);
    }
    return read;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\nusage: ${usage}\n`);
    return process.exit(EXIT_USAGE);
  }
}
