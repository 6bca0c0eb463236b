import { setTimeout as wait } from "node:timers/promises";
import { isEnded, type Kantoku, type TaskHandle, type TaskView } from "kantoku";
import { auditPackage, type Finding, type Summary, sumUp } from "./tasks.ts";

export interface AuditOptions {
  readonly projectRoot: string;
  readonly places: readonly string[];
  /** Names this audit among all that its database has seen. */
  readonly run: string;
  /** Ends the audit: its tasks are cancelled. */
  readonly signal: AbortSignal;
  /** Gets the tasks of the run some ten times a second, and once when all have ended. */
  readonly watch: (tasks: readonly TaskView[]) => void;
}

const lookMs = 100;
const cancelMs = 3_000;

/** One task a package, and one that sums up what they found. */
export async function audit(kantoku: Kantoku, options: AuditOptions): Promise<Summary> {
  const { projectRoot, places, run, signal } = options;
  const labels = { audit: run };
  const handles = await Promise.all(
    places.map((place) =>
      kantoku.submit(auditPackage({ projectRoot, place }), {
        // Twice in one run it would be one task; the next run audits anew.
        idempotencyKey: `licence-audit/${run}/${place}`,
        labels,
      }),
    ),
  );
  try {
    const results = Promise.all(handles.map((handle) => handle.result({ signal })));
    await follow(kantoku, { ...options, results });
    const findings = await results;
    return await kantoku.run(sumUp({ findings }), { labels, signal });
  } catch (error) {
    await cancelAll(handles);
    throw error;
  }
}

async function follow(
  kantoku: Kantoku,
  { run, watch, results }: AuditOptions & { readonly results: Promise<unknown> },
): Promise<void> {
  const settled = new AbortController();
  const settle = () => settled.abort();
  results.then(settle, settle);
  while (!settled.signal.aborted) {
    watch(await listRun(kantoku, run));
    await wait(lookMs, undefined, { signal: settled.signal }).catch(() => {});
  }
  watch(await listRun(kantoku, run));
}

async function listRun(kantoku: Kantoku, run: string): Promise<readonly TaskView[]> {
  const query = { definition: auditPackage.name, labels: { audit: run }, limit: 1000 };
  let page = await kantoku.list(query);
  const tasks = [...page.tasks];
  while (page.cursor !== undefined) {
    page = await kantoku.list({ ...query, cursor: page.cursor });
    tasks.push(...page.tasks);
  }
  return tasks;
}

// Else the workers of the next run would find them, and do what nobody waits for.
async function cancelAll(handles: readonly TaskHandle<Finding>[]): Promise<void> {
  const cancelled = handles.map(async (handle) => {
    const { status } = await handle.cancel("the audit was interrupted");
    if (!isEnded(status)) await handle.result({ waitMs: cancelMs });
  });
  await Promise.race([Promise.allSettled(cancelled), wait(cancelMs, undefined, { ref: false })]);
}
