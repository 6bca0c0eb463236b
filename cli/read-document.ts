import { readFileSync } from "node:fs";
import { parseDocument } from "yaml";
import { UsageError } from "./usage-error.ts";

const standardInput = 0;
const shownErrorsMax = 20;

/**
 * The document in a file, YAML or JSON, which is YAML, too; `-` is standard input.
 * @throws UsageError that lists what is wrong with its form, with lines and columns
 */
export function readDocument(file: string): unknown {
  const document = parseDocument(readText(file), { prettyErrors: true, merge: true });
  if (document.errors.length === 0) return document.toJS({ maxAliasCount: 100 }) as unknown;
  const faults = document.errors.slice(0, shownErrorsMax).map(({ message, linePos }) => {
    const [first = message] = message.split("\n");
    const [start] = linePos ?? [];
    const what = first.replace(/( at line \d+, column \d+)?:?$/, "");
    return start === undefined ? what : `line ${start.line}, column ${start.col}: ${what}`;
  });
  throw new UsageError(`${file} is neither YAML nor JSON: ${faults.join("; ")}`);
}

function readText(file: string): string {
  try {
    return readFileSync(file === "-" ? standardInput : file, "utf8");
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
  }
}
