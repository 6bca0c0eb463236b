import { isKantokuError } from "../sdk/index.ts";
import type { DocumentProblem } from "../sdk/stages/problems.ts";
import { harmless, note } from "./output/terminal.ts";
import { UsageError } from "./usage-error.ts";

export const exitCodes = { failed: 1, usage: 2, interrupted: 130 } as const;

/** The user does not wait any longer; nothing failed. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

/** Says on standard error what went wrong; answers with the code to exit with. */
export function reportFailure(thrown: unknown, { isVerbose }: { isVerbose: boolean }): number {
  if (thrown instanceof Interrupted) {
    note(thrown.message);
    return exitCodes.interrupted;
  }
  for (const line of linesOf(thrown)) note(harmless(line));
  if (isVerbose && thrown instanceof Error) note(stackOf(thrown));
  return isUsage(thrown) ? exitCodes.usage : exitCodes.failed;
}

/** What the server finds wrong with a call was wrong on the command line, or in a file named there. */
function isUsage(thrown: unknown): boolean {
  if (thrown instanceof UsageError) return true;
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
  return thrown.message;
}

function stackOf(thrown: Error): string {
  const stack = thrown.stack ?? thrown.message;
  return thrown.cause instanceof Error ? `${stack}\ncaused by: ${stackOf(thrown.cause)}` : stack;
}
