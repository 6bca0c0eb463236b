import { createRequire } from "node:module";
import { dirname } from "node:path";
import { problemAt, SourceError, tooDeepMessage } from "./problems.ts";

interface TypeStripper {
  transformSync(source: string, options: { mode: "strip-only" }): { code: string };
}

interface SyntaxFault {
  readonly message: string;
  readonly startLine: number;
  readonly startColumn: number;
}

const require = createRequire(import.meta.url);

/**
 * Blanks the types of a wrapped source, so that every position stays. amaro is what Node strips types
 * with; Node's own door to it writes a warning to stderr and tells no column. Loaded at first need:
 * it takes a tenth of a second.
 */
export function stripTypes(text: string): string {
  const { transformSync }: TypeStripper = require("amaro");
  try {
    return transformSync(text, { mode: "strip-only" }).code;
  } catch (error) {
    if (!isSyntaxFault(error)) {
      forgetStripper();
      throw new SourceError({ message: tooDeepMessage, line: 1, column: 1 });
    }
    const { message, startLine: line, startColumn: column } = error;
    throw new SourceError(problemAt(message, { line, column }));
  }
}

/** A stripper that ran out of stack refuses whatever comes next: the next source loads another. */
function forgetStripper(): void {
  const folder = dirname(require.resolve("amaro"));
  for (const file of Object.keys(require.cache)) {
    if (file.startsWith(folder)) delete require.cache[file];
  }
}

function isSyntaxFault(error: unknown): error is SyntaxFault {
  return typeof error === "object" && error !== null && "startLine" in error;
}
