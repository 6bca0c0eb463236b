import type { Problem } from "./types.ts";
import { wrapperLines } from "./wrap.ts";

/** Thrown by a parser's door; what it says is for the source's author. */
export class SourceError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.message);
    this.problem = problem;
  }
}

/** A problem at a place of the wrapped text, as the place in the source: `column` counts from 0. */
export function problemAt(
  message: string,
  { line, column }: { line: number; column: number },
): Problem {
  // The wrapper's own line: what is wrong begins with the source's first character.
  if (line <= wrapperLines) return { message, line: 1, column: 1 };
  return { message, line: line - wrapperLines, column: column + 1 };
}

export const tooDeepMessage = "the source nests too deeply";
