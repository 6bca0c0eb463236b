import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import { connect, isEnded, type TaskView } from "kantoku";
import { createJsonLog } from "kantoku/runtime";
import { reportFailure } from "../../cli/failure.ts";
import { surviveClosedPipes } from "../../cli/output/terminal.ts";
import { startServer } from "../../cli/server.ts";
import { readServerSettings } from "../../cli/settings.ts";
import { follow, openAudit } from "./audit.ts";
import { Crew, type Member } from "./crew.ts";
import { median } from "./figures.ts";
import { listenForInterruption, unlessAborted } from "./interruption.ts";
import { createProgress, type Standing, type WorkerStanding } from "./progress.ts";
import { formatSections, toTimeSections } from "./report.ts";

const projectRoot = resolve(import.meta.dirname, "../..");

surviveClosedPipes();
const interruption = listenForInterruption();
try {
  await auditLicences(interruption.signal);
} catch (error) {
  if (interruption.exitCode === undefined) {
    process.exitCode = reportFailure(error, { isVerbose: false, isJson: false });
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
  const bootMs = sinceStart();
  const pids = crew.members.map(({ pid }) => pid).join(" and ");
  progress.note(`${server.url} is up; the workers are processes ${pids}`);
  const { handle, isOlder } = await openAudit(kantoku, projectRoot);
  if (isOlder) progress.note("an audit was cut off in the middle: going on with it");
  let tasks: readonly TaskView[] = [];
  let perSecond = 0;
  let isWaitExplained = false;
  const sections = await follow(kantoku, handle, {
    signal,
    watch: (seen) => {
      if (tasks.length === 0 && seen.length > 0) {
        progress.note(
          `${seen.length} packages to audit, one task each; kill -9 a worker, or all of this: nothing is lost`,
        );
      }
      tasks = seen;
      const elapsedMs = sinceStart() - bootMs;
      if (tasks.length === 0) return;
      const standing = toStanding(tasks, { elapsedMs, members: crew.members });
      perSecond = standing.perSecond;
      progress.update(standing);
      const elsewhere = heldElsewhere(tasks, crew.members);
      if (isWaitExplained || elsewhere === 0) return;
      isWaitExplained = true;
      progress.note(
        `${elsewhere} packages are with workers of another process: if it died, they come here once its lease of 10 s is over`,
      );
    },
  });
  const auditMs = sinceStart() - bootMs;
  await closing.disposeAsync();
  const taskP50Ms = median(tasks.map(runMs));
  const times = { perSecond, bootMs, auditMs, taskP50Ms, wholeMs: sinceStart() };
  const all = [...sections, ...toTimeSections(times, handle.id)];
  process.stdout.write(`\n${formatSections(all)}\n`);
}

function toStanding(
  tasks: readonly TaskView[],
  { elapsedMs, members }: { elapsedMs: number; members: readonly Member[] },
): Standing {
  const done = tasks.filter(({ status }) => isEnded(status));
  const shares = members.map(({ name, pid, worker }) => ({
    name,
    pid,
    done: done.filter((task) => task.worker === worker).length,
    running: tasks.filter((task) => task.status === "running" && task.worker === worker).length,
  }));
  const perSecond = doneBy(shares) / (elapsedMs / 1000);
  return {
    done: done.length,
    total: tasks.length,
    perSecond,
    workers: [...shares, ...strangers(done, shares)],
  };
}

/** How many packages only workers of other processes have, when nothing else is left to do. */
function heldElsewhere(tasks: readonly TaskView[], members: readonly Member[]): number {
  const ours = new Set(members.map(({ worker }) => worker));
  const left = tasks.filter(({ status }) => !isEnded(status));
  const isElsewhere = ({ status, worker }: TaskView) =>
    status === "running" && !ours.has(worker as string);
  return left.every(isElsewhere) ? left.length : 0;
}

/** Workers that did a part before this process began, or belong to one that follows the same audit. */
function strangers(
  done: readonly TaskView[],
  shares: readonly WorkerStanding[],
): readonly WorkerStanding[] {
  const theirs = done.length - doneBy(shares);
  return theirs === 0 ? [] : [{ name: "others", done: theirs }];
}

function doneBy(shares: readonly WorkerStanding[]): number {
  return shares.reduce((sum, share) => sum + share.done, 0);
}

function runMs({ startedAt = 0, endedAt = startedAt }: TaskView): number {
  return endedAt - startedAt;
}
