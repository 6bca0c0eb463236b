import { setTimeout as wait } from "node:timers/promises";
import { isEnded, type Kantoku, type TaskHandle, type TaskStatus, type TaskView } from "kantoku";
import { licenceAudit } from "./pipeline.ts";
import { auditPackage, type Section } from "./tasks.ts";

interface FollowOptions {
  /** Ends the audit: it is cancelled, and with it all its tasks. */
  readonly signal: AbortSignal;
  /** Gets the tasks of the packages some ten times a second, and once when all have ended. */
  readonly watch: (tasks: readonly TaskView[]) => void;
}

const lookMs = 100;
const cancelMs = 3_000;
const unfinished: readonly TaskStatus[] = ["waiting", "ready", "running", "suspended"];

interface Audit {
  readonly handle: TaskHandle<Section[]>;
  /** It was begun by a process that is gone, or by one that still waits for it, too. */
  readonly isOlder: boolean;
}

/** Goes on with an audit of the project that nobody finished, or begins one. */
export async function openAudit(kantoku: Kantoku, projectRoot: string): Promise<Audit> {
  const call = licenceAudit({ projectRoot });
  const labels = { project: projectRoot };
  const { tasks } = await kantoku.list({
    definition: licenceAudit.name,
    status: unfinished,
    labels,
  });
  const older = tasks.find(({ version }) => version === licenceAudit.version);
  if (older !== undefined) return { handle: kantoku.handle(older.id), isOlder: true };
  return { handle: await kantoku.submit(call, { labels }), isOlder: false };
}

/** The report of an audit, once it has ended. */
export async function follow(
  kantoku: Kantoku,
  handle: TaskHandle<Section[]>,
  { signal, watch }: FollowOptions,
): Promise<readonly Section[]> {
  const settled = new AbortController();
  const settle = () => settled.abort();
  const result = handle.result({ signal });
  result.then(settle, settle);
  try {
    while (!settled.signal.aborted) {
      watch(await listAudits(kantoku, handle.id));
      await wait(lookMs, undefined, { signal: settled.signal }).catch(() => {});
    }
    const sections = await result;
    watch(await listAudits(kantoku, handle.id));
    return sections;
  } catch (error) {
    await cancel(handle);
    throw error;
  }
}

async function listAudits(kantoku: Kantoku, root: string): Promise<readonly TaskView[]> {
  const query = { root, definition: auditPackage.name, limit: 1000 };
  let page = await kantoku.list(query);
  const tasks = [...page.tasks];
  while (page.cursor !== undefined) {
    page = await kantoku.list({ ...query, cursor: page.cursor });
    tasks.push(...page.tasks);
  }
  return tasks;
}

// Else the next run would go on with it.
async function cancel(handle: TaskHandle): Promise<void> {
  const cancelled = handle.cancel("the audit was interrupted").then(async ({ status }) => {
    if (!isEnded(status)) await handle.result({ waitMs: cancelMs });
  });
  await Promise.race([cancelled.catch(() => {}), wait(cancelMs, undefined, { ref: false })]);
}
