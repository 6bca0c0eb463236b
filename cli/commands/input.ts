import { readFileSync } from "node:fs";
import { UsageError } from "../usage-error.ts";

const standardInput = 0;

/**
 * A task's input: JSON as it stands, `@file`, or `-` for standard input.
 * @throws UsageError
 */
export function readInput(given: string): unknown {
  const text = readText(given);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`--input is not JSON: ${(error as Error).message}`);
  }
}

function readText(given: string): string {
  if (given !== "-" && !given.startsWith("@")) return given;
  try {
    return readFileSync(given === "-" ? standardInput : given.slice(1), "utf8");
  } catch (error) {
    throw new UsageError(`--input cannot be read: ${(error as Error).message}`);
  }
}
