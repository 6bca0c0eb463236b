import { setTimeout as sleep } from "node:timers/promises";

const pollMs = 5;

/** Resolves when the condition holds; rejects when patience ends, saying what was waited for. */
export async function until(
  holds: () => boolean,
  { patienceMs, what }: { patienceMs: number; what: string },
): Promise<void> {
  for (const giveUpAt = performance.now() + patienceMs; !holds(); ) {
    if (performance.now() > giveUpAt) throw new Error(`waited ${patienceMs} ms for ${what}`);
    await sleep(pollMs);
  }
}
