import { measureRaw } from "../raw.ts";
import type { Scope } from "../scope.ts";

const runs = 3;
const tasks = 60_000;

/** What the database grants one process that only writes the same rows. */
export async function rawLimit({ databaseUrl, report, scale }: Scope): Promise<void> {
  const measured = [];
  for (let run = 0; run < runs; run += 1) {
    measured.push(await measureRaw(databaseUrl, { tasks: Math.ceil(tasks * scale), batch: 500 }));
  }
  const perTask = measured.map(({ tasksPerSecond }) => tasksPerSecond);
  const perStep = measured.map(({ stepsPerSecond }) => stepsPerSecond);
  report({ workload: "raw-tasks", unit: "tasks/s", ...summary(perTask) });
  report({ workload: "raw-steps", unit: "steps/s", ...summary(perStep) });
  const commit = measured[measured.length - 1]?.commitMs;
  if (commit !== undefined) {
    report({
      workload: "raw-commit",
      unit: "ms",
      value: commit.p50,
      ...commit,
      spread: [commit.p50, commit.p99],
    });
  }
}

function summary(values: number[]): { value: number; spread: [number, number] } {
  const sorted = values.toSorted((a, b) => a - b);
  const value = sorted[sorted.length >> 1] ?? Number.NaN;
  return { value, spread: [sorted[0] ?? value, sorted.at(-1) ?? value] };
}
