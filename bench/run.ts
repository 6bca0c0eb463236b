import { parseArgs } from "node:util";
import postgres from "postgres";
import { withDatabase } from "./database.ts";
import type { Figure } from "./figures.ts";
import type { Workload } from "./scope.ts";
import { gateway } from "./workloads/gateway.ts";
import { graphs } from "./workloads/graphs.ts";
import { inProcess } from "./workloads/in-process.ts";
import { killedWorker } from "./workloads/killed-worker.ts";
import { millions } from "./workloads/millions.ts";
import { preprocess } from "./workloads/preprocess.ts";
import { rawLimit } from "./workloads/raw-limit.ts";
import { twoNodes } from "./workloads/two-nodes.ts";

/** In the order they run; each gets a fresh database. */
const workloads: Readonly<Record<string, Workload>> = {
  "in-process": inProcess,
  graphs,
  raw: rawLimit,
  gateway,
  "two-nodes": twoNodes,
  "killed-worker": killedWorker,
  millions,
  preprocess,
};

/** Figures that are quoted beside the raw limit of the same run. */
const rawOf: Readonly<Record<string, string>> = {
  "noop-throughput": "raw-tasks",
  "noop-queued": "raw-tasks",
  "gateway-noop-throughput": "raw-tasks",
  "two-nodes-noop-throughput": "raw-tasks",
  steps: "raw-steps",
  "gateway-steps": "raw-steps",
};

const { values: flags } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    only: { type: "string" },
    scale: { type: "string", default: "1" },
  },
});
const only = flags.only?.split(",") ?? Object.keys(workloads);
const unknown = only.filter((name) => workloads[name] === undefined);

if (unknown.length > 0) {
  console.error(
    `no workload ${unknown.join(", ")}; there are ${Object.keys(workloads).join(", ")}`,
  );
  process.exitCode = 2;
} else {
  await withDatabase(runAll);
}

async function runAll(adminUrl: string): Promise<void> {
  const figures: Figure[] = [];
  for (const name of only) {
    const url = await freshDatabase(adminUrl, `bench_${name.replaceAll("-", "_")}`);
    await workloads[name]?.({
      databaseUrl: url,
      scale: Number(flags.scale),
      report: (figure) => {
        figures.push(figure);
        console.error(`  ${figure.workload}: ${format(figure.value)} ${figure.unit}`);
      },
    });
  }
  for (const figure of figures) print(withRatio(figure, figures));
}

function withRatio(figure: Figure, all: readonly Figure[]): Figure & { ratio?: number } {
  const raw = all.find(({ workload }) => workload === rawOf[figure.workload]);
  return raw === undefined ? figure : { ...figure, ratio: figure.value / raw.value };
}

function print(figure: Figure & { ratio?: number }): void {
  const system = figure.workload.startsWith("raw-") ? "postgres" : "kantoku";
  if (flags.json) {
    console.log(JSON.stringify({ system, ...figure }));
    return;
  }
  const { workload, value, unit, p50, p95, p99, spread, ratio } = figure;
  const quantiles = [p50, p95, p99].map((it) => (it === undefined ? "" : format(it)));
  const range = `${format(spread[0])} to ${format(spread[1])}`;
  const row = [workload, system, format(value), unit, ...quantiles, range];
  console.log([...row, ratio === undefined ? "" : `${ratio.toFixed(2)} of raw`].join("\t"));
}

function format(value: number): string {
  return value >= 100 ? String(Math.round(value)) : value.toFixed(2);
}

async function freshDatabase(adminUrl: string, name: string): Promise<string> {
  const sql = postgres(adminUrl, { max: 1, onnotice: () => {} });
  try {
    await sql`drop database if exists ${sql(name)} with (force)`;
    await sql`create database ${sql(name)}`;
  } finally {
    await sql.end();
  }
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return url.href;
}
