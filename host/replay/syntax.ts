// The part of a shell's language that scenarios speak: pipelines, lists with && and ||, quotes, texts kept in files.

/** Where a program's words come from and go to. Errors are shown, mixed with what it says, or lost. */
export interface Program {
  words: string[];
  reads?: string;
  writes?: { file: string; appends: boolean };
  errors: "shown" | "mixed" | "lost";
}

/** Programs that feed each other, and whether they run after a pipeline that succeeded or failed. */
export interface Pipeline { programs: Program[]; when: "always" | "success" | "failure" }

type Token = { kind: "word"; text: string } | { kind: "mark"; text: string };

const MARKS = ["2>&1", "2>", "&&", "||", ">>", ";", "\n", "|", ">", "<"];
const WHEN: Record<string, Pipeline["when"]> = { ";": "always", "\n": "always", "&&": "success", "||": "failure" };

/** Splits a command text at its marks. Throws a RangeError for what needs a real shell. */
function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let word: string | undefined;
  const endWord = (): void => {
    if (word !== undefined) tokens.push({ kind: "word", text: word });
    word = undefined;
  };
  for (let at = 0; at < text.length; at++) {
    const letter = text[at] ?? "";
    if (letter === "'" || letter === '"') {
      const { content, end } = quoted(text, at);
      word = (word ?? "") + content;
      at = end;
    } else if (letter === "\\") {
      // A line that goes on; else the letter is meant as it is.
      if (text[++at] !== "\n") word = (word ?? "") + (text[at] ?? "");
    } else if (letter === "#" && word === undefined) {
      while (at + 1 < text.length && text[at + 1] !== "\n") at++;
    } else if (/[ \t\r]/.test(letter)) endWord();
    else {
      const mark = MARKS.find((one) => text.startsWith(one, at) && !(one.startsWith("2") && word !== undefined));
      if (mark !== undefined) {
        endWord();
        tokens.push({ kind: "mark", text: mark });
        at += mark.length - 1;
      } else if (/[`$(){}&]/.test(letter)) throw new RangeError(`"${letter}" is for a real shell`);
      else word = (word ?? "") + letter;
    }
  }
  endWord();
  return tokens;
}

function quoted(text: string, start: number): { content: string; end: number } {
  const quote = text[start];
  let content = "";
  for (let at = start + 1; at < text.length; at++) {
    const letter = text[at] ?? "";
    if (letter === quote) return { content, end: at };
    if (quote === '"' && letter === "\\" && /["\\$`]/.test(text[at + 1] ?? "")) content += text[++at] ?? "";
    else if (quote === '"' && /[$`]/.test(letter)) throw new RangeError(`"${letter}" is for a real shell`);
    else content += letter;
  }
  throw new RangeError("a quotation mark is not closed");
}

/** The pipelines of a command text, in their order. Throws a RangeError for what needs a real shell. */
export function readPipelines(text: string): Pipeline[] {
  const pipelines: Pipeline[] = [];
  let pipeline: Pipeline = { programs: [], when: "always" };
  let program: Program = { words: [], errors: "shown" };
  const endProgram = (): void => {
    const isMeant = pipeline.programs.length > 0 || program.reads !== undefined || program.writes !== undefined;
    if (program.words.length === 0 && isMeant) throw new RangeError("a program is missing");
    if (program.words.length > 0) pipeline.programs.push(program);
    program = { words: [], errors: "shown" };
  };
  const tokens = tokensOf(text);
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] as Token;
    if (token.kind === "word") program.words.push(token.text);
    else if (token.text === "2>&1") program.errors = "mixed";
    else if (token.text in WHEN) {
      endProgram();
      if (pipeline.programs.length > 0) pipelines.push(pipeline);
      else if (token.text !== ";" && token.text !== "\n") throw new RangeError(`nothing stands before "${token.text}"`);
      // A line may end behind && and ||.
      if (pipeline.programs.length > 0 || pipeline.when === "always") pipeline = { programs: [], when: WHEN[token.text] ?? "always" };
    } else if (token.text === "|") {
      if (program.words.length === 0) throw new RangeError("a program is missing");
      endProgram();
      if (tokens[at + 1] === undefined) throw new RangeError("a program is missing");
    } else redirect(program, token.text, tokens[++at]);
  }
  endProgram();
  if (pipeline.programs.length > 0) pipelines.push(pipeline);
  return pipelines;
}

function redirect(program: Program, mark: string, target: Token | undefined): void {
  if (target?.kind !== "word") throw new RangeError(`a file is missing behind "${mark}"`);
  if (mark === "<") program.reads = target.text;
  else if (mark !== "2>") program.writes = { file: target.text, appends: mark === ">>" };
  else if (target.text === "/dev/null") program.errors = "lost";
  else throw new RangeError("errors go to /dev/null or nowhere else");
}
