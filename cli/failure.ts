import { CommanderError } from "commander";
import { type ErrorCode, isKantokuError } from "../sdk/index.ts";
import type { DocumentProblem } from "../sdk/stages/problems.ts";
import { harmless, note, printJsonInstead } from "./output/terminal.ts";
import { UsageError } from "./usage-error.ts";

export const exitCodes = { failed: 1, usage: 2, interrupted: 130 } as const;

/** The user does not wait any longer; nothing failed. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

interface Manner {
  /** With stacks. */
  readonly isVerbose: boolean;
  /** Besides, as an object on standard output, for the program that reads it. */
  readonly isJson: boolean;
}

/** Says on standard error what went wrong; answers with the code to exit with. */
export function reportFailure(thrown: unknown, { isVerbose, isJson }: Manner): number {
  if (thrown instanceof Interrupted) {
    note(thrown.message);
    return exitCodes.interrupted;
  }
  // Help that was asked for is no mistake; everything else that the parser stops at is, and is explained.
  if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0;
  if (isJson) printJsonInstead({ error: toErrorObject(thrown) });
  if (!(thrown instanceof CommanderError)) {
    for (const line of linesOf(thrown)) note(harmless(line));
    if (isVerbose && thrown instanceof Error) note(stackOf(thrown));
  }
  return isUsage(thrown) ? exitCodes.usage : exitCodes.failed;
}

/** As JSON-RPC has errors, with the stable code in place of the number. */
function toErrorObject(thrown: unknown): object {
  const message = describe(thrown);
  if (!isKantokuError(thrown)) {
    const code: ErrorCode = isUsage(thrown) ? "invalid-params" : "generic";
    return { code, message };
  }
  const { code, data } = thrown;
  return { code, message, ...(Object.keys(data).length > 0 && { data }) };
}

/** What the server finds wrong with a call was wrong on the command line, or in a file named there. */
function isUsage(thrown: unknown): boolean {
  if (thrown instanceof UsageError || thrown instanceof CommanderError) return true;
  return isKantokuError(thrown, "invalid-params") || isKantokuError(thrown, "invalid-definition");
}

function linesOf(thrown: unknown): readonly string[] {
  const problems = isKantokuError(thrown, "invalid-definition") && thrown.data["problems"];
  if (!Array.isArray(problems)) return [`error: ${describe(thrown)}`, ...openEndOf(thrown)];
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  return [
    `error: the pipeline has ${count}`,
    ...problems.map(({ path, message }: DocumentProblem) => `  ${path} ${message}`),
  ];
}

function openEndOf(thrown: unknown): readonly string[] {
  const key = isKantokuError(thrown) && thrown.data["idempotencyKey"];
  if (typeof key !== "string") return [];
  return [`the task may have been made: --key ${key} finds it, or makes it`];
}

function describe(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const { code, port } = thrown as NodeJS.ErrnoException & { readonly port?: number };
  if (code === "EADDRINUSE") {
    return `port ${port} is in use; stop what listens there, or choose another with --port or KANTOKU_PORT`;
  }
  return thrown instanceof CommanderError ? thrown.message.replace(/^error: /, "") : thrown.message;
}

function stackOf(thrown: Error): string {
  const stack = thrown.stack ?? thrown.message;
  return thrown.cause instanceof Error ? `${stack}\ncaused by: ${stackOf(thrown.cause)}` : stack;
}
