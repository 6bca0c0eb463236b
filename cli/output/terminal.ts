import { styleText } from "node:util";

export type Tone = "good" | "bad" | "busy" | "odd" | "muted" | "head";

const styles = {
  good: "green",
  bad: "red",
  busy: "cyan",
  odd: "yellow",
  muted: "dim",
  head: "bold",
} as const satisfies Record<Tone, Parameters<typeof styleText>[0]>;

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

let isAnswered = false;

/** The one JSON value that a command answers with. */
export function printJson(value: unknown): void {
  isAnswered = true;
  print(JSON.stringify(value, null, 2));
}

/** In place of the answer, where there was none: a program reads one value, and not two. */
export function printJsonInstead(value: unknown): void {
  if (!isAnswered) printJson(value);
}

/** For the eyes, not for a pipe. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** A reader that closes the pipe early (`| head`) has seen enough; that is no error of ours. */
export function surviveClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
}

export function paint(text: string, tone: Tone | undefined): string {
  const isColoured = process.stdout.isTTY && !process.env["NO_COLOR"];
  if (tone === undefined || !isColoured) return text;
  return styleText(styles[tone], text, { validateStream: false });
}

/** Texts of tasks are anybody's: no control character of theirs reaches the terminal. */
export function harmless(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    if (character === "\n" || character === "\t") return character;
    return `\\u{${character.codePointAt(0)?.toString(16)}}`;
  });
}
