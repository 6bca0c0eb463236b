import type { ChildProcess } from "node:child_process";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Binaries } from "./binaries.ts";
import { programEnvironment } from "./binaries.ts";
import { clusterFolder } from "./home.ts";
import type { PidFile } from "./pid-file.ts";
import {
  answersAsPostgres,
  isPostmasterOf,
  readPidFile,
  removeMisleadingPidFile,
} from "./pid-file.ts";
import { boundServerLog, complaintIn, logSince, logSize, serverLogFile } from "./server-log.ts";
import { commandLine, serverSettings } from "./settings.ts";

/** A running server. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  readonly ended: Promise<void>;
}

/** A server that ended before it came up. */
export class StartRefused extends Error {
  override readonly name = "StartRefused";
  /** All that it wrote. */
  readonly log: string;

  constructor(log: string, logFile: string) {
    super(`PostgreSQL did not start: ${complaintIn(log)} (see ${logFile})`);
    this.log = log;
  }
}

interface StartPlan {
  readonly home: string;
  readonly binaries: Binaries;
  readonly port: number;
  readonly sharedBuffers: string;
}

const pollMs = 5;
const adoptedPollMs = 100;
const silenceMaxMs = 30_000;
const fastStopMs = 60_000;

/** Starts the server and resolves once it takes connections, however long it recovers. */
export async function startPostmaster(plan: StartPlan): Promise<Postmaster> {
  const { home, port } = plan;
  boundServerLog(home);
  const logFile = serverLogFile(home);
  const logStart = logSize(logFile);

  const child = spawnServer(plan, logFile);
  const ended = endOf(child);
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });

  while (!hasEnded) {
    const seen = readPidFile(clusterFolder(home));
    if (seen?.pid === child.pid && seen?.isReady) return { pid: seen.pid, port, ended };
    await sleep(pollMs);
  }
  throw new StartRefused(logSince(logFile, logStart), logFile);
}

export function hasRunningServer(home: string): boolean {
  const seen = readPidFile(clusterFolder(home));
  return seen !== undefined && isPostmasterOf(clusterFolder(home), seen.pid);
}

/**
 * The server that a killed keeper left running, or undefined when there is none. One that still
 * recovers, or already stops, is neither to be used nor to be doubled, and is waited for.
 */
export async function adoptPostmaster(home: string): Promise<Postmaster | undefined> {
  const cluster = clusterFolder(home);
  let answeredAt = performance.now();
  for (;;) {
    const seen = readPidFile(cluster);
    if (seen === undefined) return undefined;
    if (!isPostmasterOf(cluster, seen.pid)) {
      removeMisleadingPidFile(cluster, seen.pid);
      return undefined;
    }
    if (await answersAsPostgres(seen.port)) {
      answeredAt = performance.now();
      if (seen.isReady) return adopted(cluster, seen);
    }
    if (performance.now() - answeredAt > silenceMaxMs) {
      throw new Error(`process ${seen.pid} holds the database in ${cluster} and does not answer`);
    }
    await sleep(adoptedPollMs);
  }
}

/** Stops in fast mode: sessions end, what was committed is checkpointed. */
export async function stopPostmaster(postmaster: Postmaster): Promise<void> {
  signal(postmaster.pid, "SIGINT");
  const stopwatch = new AbortController();
  const tooLong = sleep(fastStopMs, undefined, { signal: stopwatch.signal }).then(
    () => signal(postmaster.pid, "SIGQUIT"),
    () => {},
  );
  await Promise.race([postmaster.ended, tooLong.then(() => postmaster.ended)]);
  stopwatch.abort();
}

function spawnServer(plan: StartPlan, logFile: string): ChildProcess {
  const { home, binaries, port, sharedBuffers } = plan;
  const settings = commandLine({
    ...serverSettings,
    port: String(port),
    shared_buffers: sharedBuffers,
    wal_compression: walCompression(home, binaries),
  });
  const log = openSync(logFile, "a", 0o600);
  try {
    return spawn(binaries.postgres, ["-D", clusterFolder(home), ...settings], {
      cwd: home,
      env: programEnvironment,
      // A session of its own: what ends the keeper's never reaches the database.
      detached: true,
      stdio: ["ignore", log, log],
    });
  } finally {
    closeSync(log);
  }
}

/** Not every platform's build has lz4, and one without it refuses to start when told to use it. */
function walCompression(home: string, binaries: Binaries): "lz4" | "off" {
  const question = [
    "-D",
    clusterFolder(home),
    "-C",
    "wal_compression",
    "-c",
    "wal_compression=lz4",
  ];
  const { status } = spawnSync(binaries.postgres, question, {
    cwd: home,
    env: programEnvironment,
    stdio: "ignore",
  });
  return status === 0 ? "lz4" : "off";
}

async function endOf(child: ChildProcess): Promise<void> {
  // `error` instead of `exit` when it could not even be started.
  await once(child, "exit").catch(() => {});
}

function adopted(cluster: string, { pid, port }: PidFile): Postmaster {
  return { pid, port, ended: endOfAdopted(cluster, pid) };
}

async function endOfAdopted(cluster: string, pid: number): Promise<void> {
  while (isPostmasterOf(cluster, pid)) await sleep(adoptedPollMs);
}

function signal(pid: number, name: "SIGINT" | "SIGQUIT"): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
