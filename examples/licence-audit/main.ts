import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import { connect, isEnded, type TaskView } from "kantoku";
import { createJsonLog } from "kantoku/runtime";
import { reportFailure } from "../../cli/failure.ts";
import { surviveClosedPipes } from "../../cli/output/terminal.ts";
import { startServer } from "../../cli/server.ts";
import { readServerSettings } from "../../cli/settings.ts";
import { audit } from "./audit.ts";
import { Crew, type Member } from "./crew.ts";
import { median } from "./figures.ts";
import { listenForInterruption, unlessAborted } from "./interruption.ts";
import { findPackages } from "./packages.ts";
import { createProgress, type Standing, type WorkerStanding } from "./progress.ts";
import { formatReport } from "./report.ts";

const projectRoot = resolve(import.meta.dirname, "../..");

surviveClosedPipes();
const interruption = listenForInterruption();
try {
  await auditLicences(interruption.signal);
} catch (error) {
  if (interruption.exitCode === undefined) {
    process.exitCode = reportFailure(error, { isVerbose: false });
  }
}

/** A server, two worker processes, and an application that uses them. */
async function auditLicences(interrupted: AbortSignal): Promise<void> {
  const startedMs = performance.now();
  const sinceStart = () => performance.now() - startedMs;
  const run = randomUUID().slice(0, 8);
  const progress = createProgress(process.stdout);
  await using closing = new AsyncDisposableStack();

  progress.note("starting the database, the runtime, the gateway and two workers …");
  const server = await startServer(await readServerSettings({ port: "0" }), createJsonLog("error"));
  closing.defer(() => server.close());
  interrupted.throwIfAborted();

  const crew = new Crew({
    url: server.url,
    // With the run in its name, no worker takes the place of one of another audit.
    names: [`${run}/left`, `${run}/right`],
    replaced: ({ name, pid }, cause) =>
      progress.note(`worker ${name} (process ${pid}) died of ${cause}; another takes its place`),
  });
  closing.defer(() => crew.stop());
  const signal = AbortSignal.any([interrupted, crew.failed]);
  await unlessAborted(signal, crew.start());

  const kantoku = await connect(server.url);
  closing.defer(() => kantoku.close());
  const places = await findPackages(projectRoot);
  const bootMs = sinceStart();
  const pids = crew.members.map(({ pid }) => pid).join(" and ");
  progress.note(`${server.url} is up; the workers are processes ${pids}`);
  progress.note(
    `${places.length} packages to audit, one task each; kill -9 a worker: nothing is lost`,
  );

  let tasks: readonly TaskView[] = [];
  const summary = await audit(kantoku, {
    projectRoot,
    places,
    run,
    signal,
    watch: (seen) => {
      tasks = seen;
      const elapsedMs = sinceStart() - bootMs;
      progress.update(
        toStanding(tasks, { total: places.length, elapsedMs, members: crew.members }),
      );
    },
  });
  const auditMs = sinceStart() - bootMs;
  await closing.disposeAsync();
  const taskP50Ms = median(tasks.map(runMs));
  const times = { bootMs, auditMs, taskP50Ms, wholeMs: sinceStart() };
  process.stdout.write(`\n${formatReport(summary, times)}\n`);
}

function toStanding(
  tasks: readonly TaskView[],
  { total, elapsedMs, members }: { total: number; elapsedMs: number; members: readonly Member[] },
): Standing {
  const done = tasks.filter(({ status }) => isEnded(status));
  const shares = members.map(({ name, pid, worker }) => ({
    name,
    pid,
    done: done.filter((task) => task.worker === worker).length,
    running: tasks.filter((task) => task.status === "running" && task.worker === worker).length,
  }));
  const perSecond = done.length / (elapsedMs / 1000);
  return { done: done.length, total, perSecond, workers: [...shares, ...strangers(done, shares)] };
}

/** Two audits at once over one database share their workers. */
function strangers(
  done: readonly TaskView[],
  shares: readonly WorkerStanding[],
): readonly WorkerStanding[] {
  const theirs = done.length - shares.reduce((sum, share) => sum + share.done, 0);
  return theirs === 0 ? [] : [{ name: "another audit's", done: theirs }];
}

function runMs({ startedAt = 0, endedAt = startedAt }: TaskView): number {
  return endedAt - startedAt;
}
