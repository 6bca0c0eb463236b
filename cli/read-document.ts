import { readFileSync } from "node:fs";
import { type Document, LineCounter, parseDocument, visit } from "yaml";
import { UsageError } from "./usage-error.ts";

const standardInput = 0;
const shownErrorsMax = 20;
/** Of how much a few of them can stand for. */
const aliasesMax = 100;

/**
 * The document in a file, YAML or JSON, which is YAML, too; `-` is standard input.
 * @throws UsageError that lists what is wrong with its form, with lines and columns
 */
export function readDocument(file: string): unknown {
  const lineCounter = new LineCounter();
  const document = parseDocument(readText(file), { prettyErrors: true, merge: true, lineCounter });
  if (document.errors.length === 0) {
    try {
      return document.toJS({ maxAliasCount: aliasesMax }) as unknown;
    } catch (error) {
      // Only here is it seen where aliases lead, and that error knows no line.
      const lost = firstLostAlias(document, lineCounter);
      throw new UsageError(`${file} cannot be used: ${lost ?? (error as Error).message}`);
    }
  }
  const faults = document.errors.slice(0, shownErrorsMax).map(({ message, linePos }) => {
    const [first = message] = message.split("\n");
    const what = first.replace(/( at line \d+, column \d+)?:?$/, "");
    return at(linePos?.[0], what);
  });
  throw new UsageError(`${file} is neither YAML nor JSON: ${faults.join("; ")}`);
}

function firstLostAlias(document: Document, lineCounter: LineCounter): string | undefined {
  let found: string | undefined;
  visit(document, {
    Alias(_key, alias) {
      if (alias.resolve(document) !== undefined) return undefined;
      const { source, range } = alias;
      const where = range ? lineCounter.linePos(range[0]) : undefined;
      found = at(where, `*${source} has no anchor &${source} before it`);
      return visit.BREAK;
    },
  });
  return found;
}

function at(where: { line: number; col: number } | undefined, what: string): string {
  return where === undefined ? what : `line ${where.line}, column ${where.col}: ${what}`;
}

function readText(file: string): string {
  try {
    return readFileSync(file === "-" ? standardInput : file, "utf8");
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
  }
}
