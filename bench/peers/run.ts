import { fork } from "node:child_process";
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import postgres from "postgres";
import type { Figure } from "../figures.ts";
import type { Message } from "./child.ts";

type Peer = { system: string; npm: string; module: string; workloads: string[] };
type Line = Partial<Figure> & {
  workload: string;
  system: string;
  version: string;
  error?: string;
};

const peers: Peer[] = [
  {
    system: "graphile-worker",
    npm: "graphile-worker",
    module: "./graphile-worker.ts",
    workloads: ["noop-throughput", "latency"],
  },
  {
    system: "pg-boss",
    npm: "pg-boss",
    module: "./pg-boss.ts",
    workloads: ["noop-throughput", "latency"],
  },
  {
    system: "dbos",
    npm: "@dbos-inc/dbos-sdk",
    module: "./dbos.ts",
    workloads: ["noop-throughput", "latency", "graph-1-100-1", "steps"],
  },
];

const timeLimitMs = 75_000;
const databaseUrl = process.env["KANTOKU_BENCH_DATABASE_URL"];
const { values: flags } = parseArgs({ options: { json: { type: "boolean", default: false } } });
const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => interrupt.abort());

if (databaseUrl === undefined) {
  console.error(
    "KANTOKU_BENCH_DATABASE_URL is missing: a PostgreSQL role that may create databases",
  );
  process.exitCode = 2;
} else {
  await comparePeers(databaseUrl);
}

async function comparePeers(adminUrl: string): Promise<void> {
  if (!flags.json) printRow(["workload", "system", "value", "unit", "p50", "p95", "p99", "spread"]);
  for (const peer of peers) {
    if (interrupt.signal.aborted) break;
    const version = await installedVersion(peer.npm);
    const measured = new Set<string>();
    function print(line: Omit<Line, "system" | "version">): void {
      measured.add(line.workload);
      printLine({ ...line, system: peer.system, version });
    }
    const error = await measurePeer(peer, { adminUrl, print }).catch(messageOf);
    for (const workload of peer.workloads.filter((name) => !measured.has(name)))
      print({ workload, error: error ?? "not measured" });
  }
  if (interrupt.signal.aborted) process.exitCode = 130;
}

/** Resolves with what went wrong, if anything did. */
async function measurePeer(
  peer: Peer,
  { adminUrl, print }: { adminUrl: string; print: (figure: Figure) => void },
): Promise<string | undefined> {
  const sql = postgres(adminUrl, { max: 1, onnotice: () => {}, connect_timeout: 5 });
  const database = `kantoku_bench_${peer.system.replace("-", "_")}`;
  try {
    await sql`drop database if exists ${sql(database)} with (force)`;
    await sql`create database ${sql(database)}`;
    return await runChild(peer, { url: withDatabase(adminUrl, database), print });
  } finally {
    await sql`drop database if exists ${sql(database)} with (force)`.catch(() => {});
    await sql.end();
  }
}

async function runChild(
  peer: Peer,
  { url, print }: { url: string; print: (figure: Figure) => void },
): Promise<string | undefined> {
  const limit = AbortSignal.timeout(timeLimitMs);
  const child = fork(new URL("./child.ts", import.meta.url), [peer.module], {
    // A peer that logs to stdout would break the JSON lines; the group's SIGINT is ours to handle.
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    detached: true,
    env: { ...process.env, KANTOKU_BENCH_PEER_URL: url },
    execArgv: ["--no-deprecation"],
    killSignal: "SIGKILL",
    signal: AbortSignal.any([interrupt.signal, limit]),
  });
  let error: string | undefined;
  child.on("error", (reason) => {
    error ??= limit.aborted ? `took longer than ${timeLimitMs} ms` : reason.message;
  });
  child.on("message", (message: Message) => {
    if ("figure" in message) print(message.figure);
    else error = message.error;
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  return error ?? (code === 0 ? undefined : `its process ended with ${code}`);
}

async function installedVersion(npm: string): Promise<string> {
  const manifest = new URL(`./node_modules/${npm}/package.json`, import.meta.url);
  const text = await readFile(manifest, "utf8").catch(() => '{"version":"not installed"}');
  return JSON.parse(text).version;
}

function withDatabase(adminUrl: string, database: string): string {
  const url = new URL(adminUrl);
  url.pathname = `/${database}`;
  return url.href;
}

function printLine(line: Line): void {
  if (flags.json) {
    console.log(JSON.stringify(line));
    return;
  }
  const { workload, value, unit, p50, p95, p99, spread, error } = line;
  const system = `${line.system} ${line.version}`;
  if (error !== undefined) printRow([workload, system, `error: ${error}`]);
  else printRow([workload, system, value, unit, p50, p95, p99, spread?.map(rounded).join("–")]);
}

function printRow(cells: (string | number | undefined)[]): void {
  const widths = [16, 24, 10, 10, 8, 8, 8, 0];
  const padded = cells.map((cell, i) => rounded(cell).padEnd(widths[i] ?? 0));
  console.log(padded.join(" ").trimEnd());
}

function rounded(cell: string | number | undefined): string {
  if (typeof cell !== "number") return cell ?? "";
  return cell < 100 ? cell.toFixed(2) : Math.round(cell).toString();
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
