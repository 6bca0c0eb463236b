import { chmodSync, readFileSync } from "node:fs";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { findHome } from "../../../runtime/embedded/home.ts";
import {
  type EmbeddedDatabase,
  openEmbeddedDatabase,
  pgCtl,
} from "../../../runtime/embedded/index.ts";
import { serverLogFile } from "../../../runtime/embedded/server-log.ts";
import { connect, type Kantoku } from "../../../sdk/index.ts";
import type { NodeSettings } from "./node-process.ts";
import { ChaosProcess, type ProcessPlan } from "./process.ts";
import { answersQueries, readStories, tellStory } from "./story.ts";
import type { WorkerSettings } from "./worker-process.ts";

interface ClusterOptions {
  readonly nodes: number;
  readonly workers: number;
  /** Of each worker. */
  readonly slots?: number;
  /** Leases of nodes and workers; those of the product unless given. */
  readonly leaseMs?: number;
  readonly heartbeatMs?: number;
  /** Another way to the database for nodes, which join it by its folder unless one is given. */
  readonly routeDatabase?: (url: string) => Promise<string>;
}

const connectTimeoutMs = 30_000;
const pollMs = 20;

/** Nodes and workers, each a process, over one embedded database; and what has been done to them. */
export class Cluster {
  readonly databaseUrl: string;
  readonly faults: FaultRecord[] = [];
  readonly #options: ClusterOptions;
  readonly #folder: string;
  readonly #database: EmbeddedDatabase;
  /** In place of the embedded database's own; null lets nodes join it by its folder. */
  readonly #nodeUrl: string | null;
  readonly #lives: ChaosProcess[] = [];
  readonly #processes = new Map<string, ChaosProcess>();
  readonly #ports = new Map<string, number>();
  readonly #clients: Kantoku[] = [];
  readonly #immortals = new Set<string>();
  readonly #starts = new Map<string, Promise<void>>();
  #isOver = false;

  private constructor(parts: {
    options: ClusterOptions;
    folder: string;
    database: EmbeddedDatabase;
    nodeUrl: string | null;
  }) {
    this.#options = parts.options;
    this.#folder = parts.folder;
    this.#database = parts.database;
    this.databaseUrl = parts.database.url;
    this.#nodeUrl = parts.nodeUrl;
  }

  static async start(options: ClusterOptions): Promise<Cluster> {
    const folder = await makeChaosFolder();
    const database = await openEmbeddedDatabase({ dataDir: join(folder, "data") });
    const nodeUrl = (await options.routeDatabase?.(database.url)) ?? null;
    const cluster = new Cluster({ options, folder, database, nodeUrl });
    try {
      await cluster.#startAll();
      return cluster;
    } catch (error) {
      await cluster.end();
      throw error;
    }
  }

  get nodeNames(): readonly string[] {
    return Array.from({ length: this.#options.nodes }, (_, index) => `node-${index + 1}`);
  }

  get workerNames(): readonly string[] {
    return Array.from({ length: this.#options.workers }, (_, index) => `worker-${index + 1}`);
  }

  get #dataDir(): string {
    return join(this.#folder, "data");
  }

  urlOf(node: string): string {
    return `ws://127.0.0.1:${this.#ports.get(node)}/rpc`;
  }

  get urls(): readonly string[] {
    return this.nodeNames.map((name) => this.urlOf(name));
  }

  process(name: string): ChaosProcess {
    const found = this.#processes.get(name);
    if (found === undefined) throw new Error(`there is no process ${name}`);
    return found;
  }

  /** Every life of every process that ended by itself. */
  get crashed(): readonly ChaosProcess[] {
    return this.#lives.filter(({ name, hasCrashed }) => hasCrashed && !this.#immortals.has(name));
  }

  async connect(urls: string | readonly string[] = this.urls): Promise<Kantoku> {
    const client = await connect(urls, { connectTimeoutMs });
    this.#clients.push(client);
    return client;
  }

  /** Ends with SIGKILL, at once and unheard. */
  async kill(name: string): Promise<void> {
    this.faults.push({ kind: "kill", name, at: Date.now() });
    await this.process(name).kill();
  }

  /** Another life under the same name, for nodes on the same port; resolves when it is up. */
  spawn(name: string): Promise<void> {
    const start = this.#start(name);
    this.#starts.set(name, start);
    return start;
  }

  /** Resolves when none of these is dead or starting. */
  async untilUp(names: readonly string[]): Promise<void> {
    const missing = () => names.filter((name) => this.process(name).hasEnded);
    while (missing().length > 0) await sleep(pollMs);
    await Promise.all(names.map((name) => this.#starts.get(name)));
  }

  async #start(name: string): Promise<void> {
    const isNode = this.nodeNames.includes(name);
    const spawned = this.#spawn(
      isNode
        ? { program: "node", name, settings: this.#nodeSettings(name) }
        : { program: "worker", name, settings: this.#workerSettings(name) },
    );
    try {
      const { port } = await spawned.message<{ port?: number }>();
      if (port !== undefined) this.#ports.set(name, port);
      this.faults.push({ kind: "up", name, at: Date.now() });
    } catch (error) {
      // Killed while it started: whoever killed it spawns the next.
      if (spawned.hasCrashed) throw error;
    }
  }

  /** From now on this process is respawned at once whenever it ends. */
  respawnAlways(name: string, onDeath: () => void): void {
    this.#immortals.add(name);
    void this.process(name).ended.then(async () => {
      if (this.#isOver) return;
      onDeath();
      const respawned = this.spawn(name);
      this.respawnAlways(name, onDeath);
      await respawned.catch(() => {});
    });
  }

  /** `pg_ctl stop -m immediate`: no checkpoint, no goodbye. Resolves when it answers again. */
  async crashDatabase(): Promise<void> {
    const record: OutageRecord = {
      kind: "outage",
      at: Date.now(),
      until: Number.POSITIVE_INFINITY,
    };
    this.faults.push(record);
    await pgCtl(this.#dataDir, ["stop", "-m", "immediate"]);
    await answersQueries(this.databaseUrl);
    record.until = Date.now();
  }

  /** How many statements PostgreSQL refused in words like these. */
  countRefusals(words: string): number {
    return this.#databaseLog()
      .split("\n")
      .filter((it) => it.includes("ERROR:") && it.includes(words)).length;
  }

  /** The last words of every process, for whoever reads a failure. */
  report(): string {
    const latest = new Map(this.#lives.map((life) => [life.name, life]));
    const tails = Array.from(latest.values(), (life) => `--- ${life.name}\n${life.tail()}`);
    const faults = this.faults.map((fault) => JSON.stringify(fault)).join("\n");
    return [`--- faults\n${faults}`, ...tails].join("\n");
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#clients.map((client) => client.close()));
    for (const life of this.#lives) if (!life.hasEnded) await life.kill();
    const kept = process.env["KANTOKU_CHAOS_KEEP"];
    if (kept !== undefined) await this.#keep(kept);
    await this.#database.leave();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** For whoever looks into a failure: logs, faults and journals. */
  async #keep(folder: string): Promise<void> {
    await cp(this.#folder, folder, {
      recursive: true,
      filter: (path) => path !== this.#dataDir,
    });
    const stories = await readStories(this.databaseUrl);
    await writeFile(join(folder, "journals.txt"), stories.map(tellStory).join("\n"));
    await writeFile(join(folder, "report.txt"), this.report());
    await writeFile(join(folder, "postgres.log"), this.#databaseLog());
  }

  #databaseLog(): string {
    const home = findHome(this.#dataDir);
    return home === undefined ? "" : readFileSync(serverLogFile(home.folder), "utf8");
  }

  async #startAll(): Promise<void> {
    await Promise.all(this.nodeNames.map((name) => this.spawn(name)));
    await Promise.all(this.workerNames.map((name) => this.spawn(name)));
  }

  #spawn(plan: Omit<ProcessPlan, "folder">): ChaosProcess {
    const spawned = new ChaosProcess({ ...plan, folder: this.#folder });
    this.#lives.push(spawned);
    this.#processes.set(plan.name, spawned);
    return spawned;
  }

  #nodeSettings(name: string): NodeSettings {
    const { leaseMs, heartbeatMs } = this.#options;
    return {
      ...(this.#nodeUrl === null ? { dataDir: this.#dataDir } : { databaseUrl: this.#nodeUrl }),
      port: this.#ports.get(name) ?? 0,
      ...(leaseMs !== undefined && { nodeLeaseMs: leaseMs, workerLeaseMs: leaseMs }),
      ...(heartbeatMs !== undefined && { heartbeatMs }),
    };
  }

  #workerSettings(name: string): WorkerSettings {
    // Each begins at another node, so that all nodes have workers while all are up.
    const shift = this.workerNames.indexOf(name) % this.urls.length;
    const urls = [...this.urls.slice(shift), ...this.urls.slice(0, shift)];
    return { urls, name, slots: this.#options.slots ?? 20 };
  }
}

interface OutageRecord {
  readonly kind: "outage";
  readonly at: number;
  until: number;
}

/** What was done, when, by this host's clock, which is the database's too. */
export type FaultRecord =
  | { readonly kind: "kill"; readonly name: string; readonly at: number }
  | { readonly kind: "up"; readonly name: string; readonly at: number }
  | OutageRecord;

/** Passable for the database's account, which is another one when the tests run as root. */
export async function makeChaosFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "kantoku-chaos-"));
  chmodSync(folder, 0o755);
  return folder;
}

/**
 * Runs a scenario; whatever happens, be it that the test's time ends, nothing of it is left, and a
 * failure tells all there is.
 */
export async function withCluster(
  options: ClusterOptions,
  act: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  const cluster = await Cluster.start(options);
  onTestFinished(async ({ task }) => {
    if (task.result?.state === "fail") console.error(cluster.report());
    await cluster.end();
  });
  await act(cluster);
  const crashes = cluster.crashed.map((life) => `${life.name} crashed:\n${life.tail()}`);
  if (crashes.length > 0) throw new Error(crashes.join("\n"));
}
