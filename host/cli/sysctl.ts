// `lvsadm sysctl`: the words of the sysctl program (procps) for the settings below net.ipv4.vs, whose prefix may be left out.

import { asked, misused, succeeded, type CommandContext, type CommandResult } from "./context.js";
import { ABSENT, FOLDER, PREFIX, readSetting } from "./sysctls.js";

type Switch = "write" | "values" | "names" | "quiet" | "ignore" | "all";

const SHORT: Readonly<Record<string, Switch>> = { w: "write", n: "values", N: "names", q: "quiet", e: "ignore", a: "all" };
const LONG: ReadonlySet<string> = new Set(Object.values(SHORT));

interface Line { switches: Set<Switch>; settings: string[] }

function readLine(words: readonly string[]): Line {
  const line: Line = { switches: new Set(), settings: [] };
  for (const word of words) {
    if (!word.startsWith("-")) line.settings.push(word);
    else if (LONG.has(word.slice(2)) && word.startsWith("--")) line.switches.add(word.slice(2) as Switch);
    else for (const letter of word.slice(1)) line.switches.add(SHORT[letter] ?? unknown(word));
  }
  return line;
}

function unknown(word: string): never {
  throw misused(`sysctl: unknown option ${word}; it takes -w, -n, -N, -q, -e and -a`);
}

/** net.ipv4.vs.NAME, net/ipv4/vs/NAME or NAME alone. */
const nameOf = (word: string): string => word.replaceAll("/", ".").replace(PREFIX, "");

/** What was said of one setting, and how it went. */
interface Said { stdout?: string; stderr?: string; exitCode: number; stops?: boolean }

const refused = (stderr: string, exitCode = 1): Said => ({ stderr: `${stderr}\n`, exitCode });

class Sysctl {
  constructor(private readonly context: CommandContext, private readonly switches: ReadonlySet<Switch>) {}

  private has(one: Switch): boolean {
    return this.switches.has(one);
  }

  private shown(name: string, value: string | number): string {
    return this.has("values") ? `${value}\n` : this.has("names") ? `${PREFIX}${name}\n` : `${PREFIX}${name} = ${value}\n`;
  }

  private async values(): Promise<Map<string, string | number>> {
    const settings = Object.entries(await asked(this.context, { do: "sysctls" }));
    return new Map(settings.filter(([name]) => !Object.hasOwn(ABSENT, name)).sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  private missing(name: string): Said {
    if (Object.hasOwn(ABSENT, name)) return refused(`${PREFIX}${name} has no meaning here: ${ABSENT[name]}`, 255);
    if (this.has("ignore")) return { exitCode: 0 };
    return refused(`sysctl: cannot stat ${FOLDER}/${name}: No such file or directory`);
  }

  /** Every setting; beneath them, those that are not there and why. */
  async list(): Promise<Said> {
    const lines = [...await this.values()].map(([name, value]) => this.shown(name, value));
    const plain = !this.has("values") && !this.has("names");
    const absent = plain ? Object.entries(ABSENT).map(([name, why]) => `# ${PREFIX}${name}: ${why}\n`) : [];
    return { stdout: [...lines, ...absent].join(""), exitCode: 0 };
  }

  async handle(word: string): Promise<Said> {
    const equals = word.indexOf("=");
    if (equals >= 0) return this.write(nameOf(word.slice(0, equals)), word.slice(equals + 1).trim());
    // As there: who wants to write and does not say what ends the line.
    if (this.has("write")) return { ...refused("sysctl: command line(0): invalid syntax, continuing..."), stops: true };
    return this.show(nameOf(word));
  }

  private async show(name: string): Promise<Said> {
    if (name === "net.ipv4.vs") return this.list();
    const value = (await this.values()).get(name);
    return value === undefined ? this.missing(name) : { stdout: this.shown(name, value), exitCode: 0 };
  }

  private async write(name: string, text: string): Promise<Said> {
    if (!(await this.values()).has(name)) return this.missing(name);
    const [value, period] = readSetting(name, text) ?? [];
    const failure = refused(`sysctl: setting key "${PREFIX}${name}": Invalid argument`);
    if (value === undefined) return failure;
    const reply = await this.context.director.request({ do: "sysctl-set", name, value, ...(period === undefined ? {} : { period }) });
    if (!reply.ok && reply.error === "invalid" && reply.detail === undefined) return failure;
    if (!reply.ok) return refused(`sysctl: ${PREFIX}${name}: ${reply.detail ?? reply.error}`);
    return { stdout: this.has("quiet") ? "" : this.shown(name, text), exitCode: 0 };
  }
}

export async function sysctl(words: readonly string[], context: CommandContext): Promise<CommandResult> {
  const { switches, settings } = readLine(words);
  const program = new Sysctl(context, switches);
  const total = succeeded();
  const take = (said: Said): void => {
    total.stdout += said.stdout ?? "";
    total.stderr += said.stderr ?? "";
    total.exitCode = Math.max(total.exitCode, said.exitCode);
  };
  if (switches.has("all") || (settings.length === 0 && !switches.has("write"))) take(await program.list());
  else if (settings.length === 0) take(refused("sysctl: no variables specified"));
  for (const word of settings) {
    const said = await program.handle(word);
    take(said);
    if (said.stops) break;
  }
  return total;
}
