import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { silentLog } from "../../runtime/ports/log.ts";
import { singleTask } from "../../runtime/store/postgres/commits/single-task.ts";
import { commitTexts } from "../../runtime/store/postgres/commits/statements.ts";
import {
  commitPlans,
  sessionSettings,
  takingPlans,
} from "../../runtime/store/postgres/connections.ts";
import { dependenciesOf } from "../../runtime/store/postgres/graphs.ts";
import {
  readEvents,
  readEventsOfType,
  readPartOfEvents,
} from "../../runtime/store/postgres/journal.ts";
import { listPartStatement } from "../../runtime/store/postgres/list-tasks.ts";
import { collect } from "../../runtime/store/postgres/mail.ts";
import { free } from "../../runtime/store/postgres/nodes.ts";
import { tails } from "../../runtime/store/postgres/ownership.ts";
import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import { claim, depth } from "../../runtime/store/postgres/queue.ts";
import {
  acquire,
  acquireOfWorker,
  endings,
  read,
  readByKey,
  readMany,
  readRestart,
  release,
} from "../../runtime/store/postgres/tasks.ts";
import { takeDue, untilNext } from "../../runtime/store/postgres/timers.ts";
import { unwatch, watchers } from "../../runtime/store/postgres/watches.ts";
import { nodeLeaseMsDefault } from "../../runtime/store/store.ts";
import { openTestDatabase, type PostgresMajor, type TestDatabase } from "../support/database.ts";
import { hasInstalledPostgres } from "../support/installed-postgres.ts";

interface Hot {
  readonly text: string;
  readonly settings: Readonly<Record<string, string>>;
}

/** A commit's statements, by what they write, and all that claims, takes or frees. */
const hotStatements: ReadonlyMap<string, Hot> = new Map([
  ...commitTexts.map((text, index): [string, Hot] => [
    `commit ${index}: ${summary(text)}`,
    { text, settings: commitPlans },
  ]),
  ...Object.entries({
    claim,
    acquire,
    acquireOfWorker,
    takeDue,
    collect,
    tails,
    release,
    free,
    depth,
    unwatch,
    watchers,
  }).map(([name, text]): [string, Hot] => [name, { text, settings: takingPlans }]),
]);

const someId = "00000000-0000-7000-8000-000000000007";

/** What readers ask most, each time planned anew, for just these values. */
const readings: Readonly<Record<string, readonly [string, readonly (string | number)[]]>> = {
  read: [read, [someId, "default"]],
  readByKey: [readByKey, ["default", "k7"]],
  readMany: [readMany, [`{${someId}}`]],
  endings: [endings, [`{${someId}}`]],
  readRestart: [readRestart, [someId]],
  readEvents: [readEvents, [someId, 0, 100]],
  readPartOfEvents: [readPartOfEvents, [someId, 0, 100, 1_000_000]],
  readEventsOfType: [readEventsOfType, [someId, 0, "step.recorded", 100]],
  untilNext: [untilNext, []],
  dependenciesOf: [dependenciesOf, [`{${someId}}`, 1000]],
};

/**
 * Scans of a whole index, each of something that is small by its nature: letters under way, what
 * is alive, the nodes; and the next timer, which is the first one.
 */
const nodes = "nodes_pkey";
const readWhole: Readonly<Record<string, readonly string[]>> = {
  claim: [nodes],
  acquire: [nodes],
  takeDue: [nodes],
  collect: [nodes, "mail_pkey"],
  free: [nodes, "tasks_held"],
  untilNext: ["timers_by_due"],
};

const scans = new Set(["Index Scan", "Index Only Scan"]);
const forbidden = new Set([
  "Seq Scan",
  "Bitmap Heap Scan",
  "Bitmap Index Scan",
  "Merge Join",
  "Tid Scan",
]);

interface PlanNode {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Index Cond"?: string;
  readonly Filter?: string;
  readonly Plans?: readonly PlanNode[];
  readonly "Shared Hit Blocks"?: number;
  readonly "Shared Read Blocks"?: number;
}

function summary(text: string): string {
  const writes = text.matchAll(/(?:insert into|update|delete from) kantoku\.\w+/g);
  return [...writes].map(([write]) => write.replace(" kantoku.", " ")).join(", ");
}

function* nodesOf(plan: PlanNode): Generator<PlanNode> {
  yield plan;
  for (const child of plan.Plans ?? []) yield* nodesOf(child);
}

/**
 * What is wrong with a plan, in words. A hash join is right where given rows meet those that an
 * index found for them: it is the scans below it that must not be of everything.
 */
function faultsOf(name: string, plan: PlanNode | undefined): string[] {
  if (plan === undefined) return ["no plan"];
  return [...nodesOf(plan)].flatMap((node) => {
    const type = node["Node Type"];
    const index = node["Index Name"] ?? "";
    if (forbidden.has(type)) return [`${type} ${node["Relation Name"] ?? ""}`];
    if (!scans.has(type) || node["Index Cond"] !== undefined) return [];
    return readWhole[name]?.includes(index) ? [] : [`${type} of all of ${index}`];
  });
}

type Plans = ReadonlyMap<string, PlanNode>;

interface Planner {
  /** The very plans that executions in these sessions would use, by statement. */
  allPlans(): Promise<Plans>;
  close(): Promise<void>;
}

/** A session as a lane has it and one as a claim has it, with their statements prepared in them. */
async function openPlanner(url: string): Promise<Planner> {
  const open = (settings: Readonly<Record<string, string>>) => connect(url, settings);
  const sessions = new Map([commitPlans, takingPlans].map((it) => [it, open(it)]));
  const prepared: { name: string; execute: string; sql: postgres.Sql }[] = [];
  for (const [name, { text, settings }] of hotStatements) {
    const sql = sessions.get(settings) ?? open(settings);
    const statement = `hot_${prepared.length}`;
    await sql.unsafe(`prepare ${statement} as ${text}`);
    const numbers = [...text.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number));
    const count = Math.max(0, ...numbers);
    const list = count === 0 ? "" : `(${Array(count).fill("null").join(", ")})`;
    prepared.push({ name, sql, execute: `explain (format json) execute ${statement}${list}` });
  }
  return {
    async allPlans() {
      const plans = new Map<string, PlanNode>();
      for (const { name, sql, execute } of prepared) {
        plans.set(name, planIn(await sql.unsafe(execute)));
      }
      return plans;
    },
    async close() {
      await Promise.all([...sessions.values()].map((sql) => sql.end()));
    },
  };
}

function connect(url: string, settings: Readonly<Record<string, string>> = {}): postgres.Sql {
  return postgres(url, {
    max: 1,
    fetch_types: false,
    onnotice: () => {},
    connection: { ...sessionSettings(nodeLeaseMsDefault), ...settings },
  });
}

function nodesNamed(plans: Plans, ending: string): PlanNode[] {
  const found = [...plans].find(([name]) => name.endsWith(ending));
  if (found === undefined) throw new Error(`no statement's name ends in "${ending}"`);
  return [...nodesOf(found[1])];
}

function planIn(rows: readonly Record<string, unknown>[]): PlanNode {
  const answer = rows[0]?.["QUERY PLAN"];
  const [first] = (typeof answer === "string" ? JSON.parse(answer) : answer) as {
    Plan: PlanNode;
  }[];
  if (first === undefined) throw new Error("no plan was given");
  return first.Plan;
}

const tasks = 100_000;

const load = `
insert into kantoku.nodes (incarnation, host, pid, process_start, expires_at)
select gen_random_uuid(), 'h', i, 's', clock_timestamp() + interval '1 hour'
from generate_series(1, 3) as i;

-- As after a burst: every tenth runs on one node, the others have ended, wait or are ready.
insert into kantoku.tasks (
  id, namespace, definition, key, priority, input, labels, metadata, root, created_at, status,
  version, seq, snapshot, owner, worker, attempt, output, ended_at
)
select id, 'default', 'd' || i % 5, 'k' || i, 10, '{}', '{}', '{}', id, clock_timestamp(),
  case i % 10 when 0 then 'running' when 1 then 'ready' when 2 then 'waiting' else 'succeeded' end,
  '', 2, '{}',
  case when i % 10 = 0 then (select incarnation from kantoku.nodes limit 1) end,
  case when i % 10 = 0 then '00000000-0000-7000-8000-000000000001'::uuid end,
  1, '{}', case when i % 10 > 2 then clock_timestamp() end
from (
  select i, ('00000000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid as id
  from generate_series(1, ${tasks}) as i
) as made;

insert into kantoku.events (actor, seq, type, at, data)
select id, place, 'task.submitted', clock_timestamp(), '{}'
from kantoku.tasks cross join generate_series(1, 2) as place;

insert into kantoku.ready (id, namespace, definition, version, priority)
select id, namespace, definition, version, priority from kantoku.tasks where status = 'ready';

insert into kantoku.timers (actor, kind, due_at)
select id, 'due', clock_timestamp() + interval '1 day' from kantoku.tasks where status = 'waiting';

insert into kantoku.gates (task, dependencies, pending)
select id, array[id], 1 from kantoku.tasks where status = 'waiting';

insert into kantoku.mail (id, actor, message)
select gen_random_uuid(), id, '{}' from kantoku.tasks where status = 'running' limit 1000;

insert into kantoku.batches (node, lane, id) select incarnation, 0, 1 from kantoku.nodes;
insert into kantoku.watches (task, node)
select id, gen_random_uuid() from kantoku.tasks limit 1000;
insert into kantoku.workers (
  id, namespace, name, instance, status, seq, snapshot, slots, labels, definitions,
  registered_at, expires_at
)
select gen_random_uuid(), 'default', 'w' || i, 'i', 'serving', 1, '{}', 1, '{}', '[]',
  clock_timestamp(), clock_timestamp() from generate_series(1, 100) as i`;

const noAutovacuum = `
do $$ declare name text; begin
  for name in select tablename from pg_tables where schemaname = 'kantoku' loop
    execute format('alter table kantoku.%I set (autovacuum_enabled = off)', name);
  end loop;
end $$`;

function describePlans(major: PostgresMajor): void {
  describe(`plans of PostgreSQL ${major}`, () => {
    let database: TestDatabase;
    let sql: postgres.Sql;
    const planners: Planner[] = [];
    /** By when, and by which session, they were made. */
    const plans = new Map<string, Plans>();

    async function openSession(): Promise<Planner> {
      const planner = await openPlanner(database.url);
      planners.push(planner);
      return planner;
    }

    beforeAll(async () => {
      database = await openTestDatabase(major);
      const store = await openPostgresStore({ url: database.url, log: silentLog });
      await store.close();
      sql = connect(database.url, { statement_timeout: "0" });
      await sql.unsafe(noAutovacuum);

      const old = await openSession();
      plans.set("empty", await old.allPlans());
      // To the planner, a table that was found empty is smaller than one it knows nothing of.
      await sql.unsafe("vacuum analyze");
      const oldest = await openSession();
      plans.set("empty, analysed", await oldest.allPlans());
      await sql.unsafe(load);
      plans.set("full, not analysed", await (await openSession()).allPlans());
      plans.set("full, not analysed, planned when empty", await old.allPlans());
      plans.set("full, not analysed, analysed when empty", await oldest.allPlans());
      await sql.unsafe("analyze");
      plans.set("full, analysed", await (await openSession()).allPlans());
      plans.set("full, analysed, planned when empty", await old.allPlans());
    });

    afterAll(async () => {
      await Promise.all(planners.map((planner) => planner.close()));
      await sql.end();
      await database.close();
    });

    test.each([...hotStatements.keys()])("%s goes by indexes", (name) => {
      const found = [...plans].map(([when, made]) => [when, faultsOf(name, made.get(name))]);
      expect(found).toEqual([...plans.keys()].map((when) => [when, []]));
    });

    test("a turn finds its task by id, never through what its node owns", () => {
      const turns = [...hotStatements.keys()].filter((name) =>
        name.includes("update tasks, insert into events"),
      );
      expect(turns.length).toBeGreaterThan(0);
      const ways = [...plans].flatMap(([when, made]) =>
        turns.map((name) => {
          const indexes = nodesNamed(made, name).flatMap((node) => node["Index Name"] ?? []);
          return [when, name, indexes.filter((index) => index.startsWith("tasks"))];
        }),
      );
      expect(ways).toEqual(ways.map(([when, name]) => [when, name, ["tasks_pkey"]]));
    });

    test("a single task's statements set up neither functions nor tables of hashes", () => {
      const texts = new Set(Object.values(singleTask).flatMap((forms) => Object.values(forms)));
      const names = [...hotStatements].flatMap(([name, { text }]) => (texts.has(text) ? name : []));
      expect(names).toHaveLength(texts.size);
      for (const made of plans.values()) {
        const nodes = names.flatMap((name) => nodesNamed(made, name));
        const kinds = nodes.map((node) => node["Node Type"]);
        expect(kinds.filter((it) => /Function|ProjectSet|Join|Append/.test(it))).toEqual([]);
        expect(nodes.filter(({ Filter }) => Filter?.includes("hashed") === true)).toEqual([]);
      }
    });

    test("events of submits are matched with their tasks by hash, not one by one", () => {
      for (const made of plans.values()) {
        const nodes = nodesNamed(made, ": insert into tasks, insert into events");
        const filters = nodes.flatMap((node) => node.Filter ?? []);
        expect(filters.filter((it) => it.includes("hashed SubPlan"))).toHaveLength(2);
      }
    });

    test.each(Object.entries(readings))("%s goes by indexes for readers", async (name, reading) => {
      const [text, parameters] = reading;
      const rows = await sql.unsafe(`explain (format json) ${text}`, [...parameters], {
        prepare: true,
      });
      expect(faultsOf(name, planIn(rows))).toEqual([]);
    });

    /** Pages that a statement touches, of the tens of thousands there are. */
    async function pagesTouched(
      text: string,
      parameters: readonly (string | number)[],
      settings: Readonly<Record<string, string>> = takingPlans,
    ) {
      const rolledBack = new Error("rolled back");
      let pages = Number.NaN;
      const session = connect(database.url, settings);
      await session
        .begin(async (transaction) => {
          const explain = `explain (analyze, buffers, format json) ${text}`;
          const plan = planIn(
            await transaction.unsafe(explain, [...parameters], { prepare: true }),
          );
          pages = (plan["Shared Hit Blocks"] ?? 0) + (plan["Shared Read Blocks"] ?? 0);
          throw rolledBack;
        })
        .catch((error: unknown) => {
          if (error !== rolledBack) throw error;
        })
        .finally(() => session.end());
      return pages;
    }

    test("what waits at other heads, for later or for nobody costs a claim nothing", async () => {
      const [node] = await sql<
        { incarnation: string }[]
      >`select incarnation from kantoku.nodes limit 1`;
      const id = node?.incarnation ?? "";
      const served = [id, "{default,other}", "{unserved,d1}", '{"",""}', 50];
      expect(await pagesTouched(claim, served)).toBeLessThan(20);
      expect(await pagesTouched(takeDue, [id, 100])).toBeLessThan(20);
      expect(await pagesTouched(depth, ["default", "d9", "", 1000])).toBeLessThan(20);
      const some = [id, "{default}", "{d1}", '{""}', 50];
      expect(await pagesTouched(claim, some)).toBeLessThan(3_000);
    });

    test.each([
      { definition: "d9" },
      { namespace: "other" },
      { definition: "d9", status: ["succeeded"] as const },
    ])("a list of what there are none of looks at none: %o", async (filters) => {
      const page = { namespace: "default", order: "descending", limit: 50 } as const;
      const { text, parameters } = listPartStatement({ ...page, ...filters }, 1_000_000);
      const pages = await pagesTouched(text, parameters as readonly (string | number)[], {});
      expect(pages).toBeLessThan(20);
    });

    test.each([
      {},
      { order: "ascending" as const },
      { beyond: someId },
      { beyond: someId, order: "ascending" as const },
      { status: ["ready"] as const },
      { status: ["running"] as const },
      { status: ["succeeded", "ready"] as const },
      { status: ["failed", "ready", "waiting", "paused"] as const },
      { status: ["waiting"] as const, definition: "d2" },
      { definition: "d1" },
    ])("a page of many costs no more than its rows: %o", async (filters) => {
      const page = { namespace: "default", order: "descending", limit: 50 } as const;
      const { text, parameters } = listPartStatement({ ...page, ...filters }, 1_000_000);
      const pages = await pagesTouched(text, parameters as readonly (string | number)[], {});
      expect(pages).toBeLessThan(50);
    });

    test("an output is measured once, however many tasks wait for it", async () => {
      const dependents = await sql<{ task: string }[]>`
        with large as (
          update kantoku.tasks set output = (
            select json_build_object('text', string_agg(md5(random()::text || id || line), ''))
            from generate_series(1, 7800) as line
          ) where id = ${someId} returning id
        ), gates as (
          insert into kantoku.gates (task, dependencies, pending)
          select gen_random_uuid(), array[id], 0 from large cross join generate_series(1, 50)
          returning task
        )
        select task from gates`;
      const pages = (some: readonly { task: string }[]) =>
        pagesTouched(dependenciesOf, [`{${some.map(({ task }) => task).join()}}`, 1000], {});
      const forOne = await pages(dependents.slice(0, 1));
      expect(forOne).toBeGreaterThan(50);
      expect(await pages(dependents)).toBeLessThan(5 * forOne);
    });
  });
}

describePlans(18);

if (hasInstalledPostgres(15)) {
  describePlans(15);
} else {
  describe("plans of PostgreSQL 15", () => {
    test.skip("NOT TESTED: this machine has no /usr/lib/postgresql/15/bin", () => {});
  });
}
