import { isDeepStrictEqual } from "node:util";
import { expect } from "vitest";
import type { Cluster } from "./cluster.ts";
import type { Ledger } from "./ledger.ts";
import { readStories, type Story, tellStory } from "./story.ts";
import { isOutputOf, type Stair, stairs } from "./tasks.ts";

const outcomes = ["succeeded", "failed", "timedOut", "lost", "refused", "cancelled"].map(
  (outcome) => `attempt.${outcome}`,
);
const problemsTold = 5;

/**
 * Holds the database against the ledger: every acknowledged task is there under its id, has ended
 * once, with the right output and a sound journal, and nothing else is there. Returns the stories.
 */
export async function expectNothingLost(
  cluster: Cluster,
  ledger: Ledger,
): Promise<readonly Story[]> {
  const stories = await readStories(cluster.databaseUrl);
  const byKey = new Map(stories.map((story) => [story.key, story]));
  const problems = [
    ...ledger.violations,
    ...stories.flatMap(journalProblems),
    ...stories
      .filter(({ key }) => key === null || !ledger.entries.has(key))
      .map((story) => `nobody asked for ${tellStory(story)}`),
    ...[...ledger.entries.values()].flatMap(({ key, call, id }) => {
      const story = byKey.get(key);
      if (story === undefined) return [`${key} was lost`];
      if (story.id !== id) return [`${key} was acknowledged as ${id}: ${tellStory(story)}`];
      if (story.status !== "succeeded") return [`did not succeed: ${tellStory(story)}`];
      if (isOutputOf(call, story.output)) return [];
      return [`gave ${JSON.stringify(story.output)}: ${tellStory(story)}`];
    }),
  ];
  if (problems.length > 0) {
    const told = problems.slice(0, problemsTold).join("\n");
    throw new Error(`${problems.length} problems, such as:\n${told}`);
  }
  expect(stories.length).toBe(ledger.entries.size);
  await expectHealthy(cluster.urls[0] ?? "");
  return stories;
}

/** Asks a gateway's doctor, who must find nothing. */
export async function expectHealthy(gatewayUrl: string): Promise<void> {
  const answer = await fetch(gatewayUrl.replace("ws:", "http:"), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "system.doctor" }),
  });
  expect(await answer.json()).toEqual({ jsonrpc: "2.0", id: 1, result: { findings: [] } });
}

/** What is wrong with a journal by itself. */
export function journalProblems(story: Story): string[] {
  const { events } = story;
  const problems: string[] = [];
  const gap = events.findIndex(({ seq }, index) => seq !== index + 1);
  if (gap >= 0) problems.push(`has a gap before event ${gap + 1}`);
  const ends = events.filter(({ type }) => type === "attempt.succeeded");
  if (story.status === "succeeded" && ends.length !== 1)
    problems.push(`ended ${ends.length} times`);
  const decided = events.filter(({ type }) => outcomes.includes(type));
  problems.push(...repeated(decided, ({ data }) => `outcome of ${String(data["token"])}`));
  const steps = events.filter(({ type }) => type === "step.recorded");
  problems.push(...repeated(steps, ({ data }) => `step ${data["step"]}#${data["occurrence"]}`));
  if (story.definition === stairs.name && story.status === "succeeded") {
    const recorded = steps.map(({ data }) => (data["output"] as Stair).draw);
    const { draws } = story.output as { draws: readonly number[] };
    // Another draw means that a step ran again after its outcome had been recorded.
    if (!isDeepStrictEqual(draws, recorded)) problems.push(`gave ${draws}, not ${recorded}`);
  }
  return problems.map((problem) => `${problem}: ${tellStory(story)}`);
}

function repeated<Item>(items: readonly Item[], name: (item: Item) => string): string[] {
  const names = items.map(name);
  return names
    .filter((it, index) => names.indexOf(it) !== index)
    .map((it) => `recorded the ${it} twice`);
}
