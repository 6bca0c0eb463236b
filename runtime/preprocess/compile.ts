import { createHash } from "node:crypto";
import { findProblems } from "./check.ts";
import { applyEdits, findCompilerMarks } from "./compiler-marks.ts";
import { type Parsed, parseSource } from "./parse.ts";
import { SourceError, tooDeepMessage } from "./problems.ts";
import { stripTypes } from "./strip-types.ts";
import { findTwoReadings } from "./two-readings.ts";
import type { Preprocessor, Problem } from "./types.ts";

const sourceBytesMax = 64 * 1024;
const nativeCode = /\{\s*\[native code\]\s*\}\s*$/;

type Attempt = { parsed: Parsed; code: string } | { problems: Problem[] };

/** Never throws: a source is either ready to run or has problems, all of them at once. */
export function compilePreprocessor(
  source: string,
): { preprocessor: Preprocessor } | { problems: Problem[] } {
  const bytes = Buffer.byteLength(source);
  if (bytes > sourceBytesMax) {
    return whole(`the source is ${bytes} bytes; the limit is ${sourceBytesMax}`);
  }
  if (source.trim() === "") return whole("the source is empty");
  if (nativeCode.test(source)) {
    return whole("a built-in or bound function has no source; write (input) => …");
  }
  // A function's own text is JavaScript already. What JavaScript cannot read, or would read
  // otherwise, is TypeScript; its complaints are those that count.
  const asJavaScript = attempt(source, (text) => text);
  const compiled = "code" in asJavaScript ? asJavaScript : attempt(source, stripTypes);
  if ("problems" in compiled) return compiled;
  const doubt = compiled === asJavaScript ? findTwoReadings(compiled.parsed) : null;
  if (doubt !== null) return { problems: [doubt] };
  const hash = createHash("sha256").update(source).digest("hex");
  return { preprocessor: { hash, source, code: compiled.code } };
}

function attempt(source: string, read: (text: string) => string): Attempt {
  try {
    return codeOf(parseSource(source, read));
  } catch (error) {
    if (error instanceof SourceError) return { problems: [within(source, error.problem)] };
    if (error instanceof RangeError) return whole(tooDeepMessage);
    throw error;
  }
}

function codeOf(parsed: Parsed): Attempt {
  const { edits, identifiers } = findCompilerMarks(parsed);
  const problems = findProblems(parsed, identifiers);
  if (problems.length > 0) return { problems };
  const { start, end } = parsed.root;
  const code = applyEdits(parsed.text, { edits, start, end });
  return { parsed, code: parsed.isMethod ? `function ${code}` : code };
}

/** A source that ends too early is complained about in the wrapper's last line. */
function within(source: string, problem: Problem): Problem {
  const lines = source.split("\n");
  if (problem.line <= lines.length) return problem;
  return { ...problem, line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
}

function whole(message: string): { problems: Problem[] } {
  return { problems: [{ message, line: 1, column: 1 }] };
}
