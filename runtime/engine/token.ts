import type { Entropy } from "../ports/entropy.ts";

/**
 * Names one attempt on one worker, for ever. It begins with the task's id, so that a report can be
 * routed by any node without a table of tokens; the last part keeps it from being guessed or reused.
 */
export function mintToken(task: string, attempt: number, entropy: Entropy): string {
  return `${task}.${attempt}.${Math.floor(entropy.random() * 2 ** 48).toString(36)}`;
}

const tokenPattern =
  /^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.[0-9]{1,9}\.[0-9a-z]{1,12}$/;

/** The task of a token, or null for what no node can have minted. */
export function taskOfToken(token: string): string | null {
  return tokenPattern.exec(token)?.[1] ?? null;
}
