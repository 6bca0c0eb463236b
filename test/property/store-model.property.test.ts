import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createMemoryStore } from "../../runtime/store/memory/index.ts";
import type { TaskRow } from "../../runtime/store/rows.ts";
import type { Store } from "../../runtime/store/store.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { expectAlike } from "../support/store-comparison.ts";
import {
  type StoreOperation,
  storeOperation,
  storeOperations,
} from "../support/store-operations.ts";
import {
  allTasks,
  createStoreOperator,
  headAt,
  nodeId,
  type OperatedWorld,
  statusOf,
  workerId,
} from "../support/store-operator.ts";

/** What random turns break on purpose; everything else must hold whatever is asked of a store. */
const breakable = new Set([
  "ended-is-final",
  "owner-is-live",
  "running-has-worker",
  "mail-has-actor",
]);

function openWorld(): OperatedWorld {
  const clock = createFakeClock();
  return { store: createMemoryStore({ clock }), advance: clock.advance };
}

interface Scan {
  readonly tasks: readonly TaskRow[];
  readonly enlisted: ReadonlySet<string>;
  readonly live: ReadonlySet<string>;
}

async function scan(store: Store): Promise<Scan> {
  const nodes = await store.nodes.list();
  const now = await store.now();
  return {
    tasks: await allTasks(store),
    enlisted: new Set(nodes.map(({ incarnation }) => incarnation)),
    live: new Set(
      nodes.filter(({ expiresAt }) => expiresAt > now).map(({ incarnation }) => incarnation),
    ),
  };
}

/** The tasks that an operation is about to answer with, found the slow way: by looking at all. */
function foretell({ tasks, enlisted, live }: Scan, operation: StoreOperation): string[] | null {
  const ready = tasks.filter(({ status, owner }) => status === "ready" && owner === null);
  const isAt = (task: TaskRow, head: number): boolean =>
    task.definition === headAt(head).definition && task.version === headAt(head).version;
  const runsOn = (task: TaskRow, worker: number): boolean =>
    task.worker === workerId(worker) && ["running", "cancelling"].includes(task.status);

  switch (operation.type) {
    case "claim":
      if (!live.has(nodeId(operation.node))) return [];
      return ready
        .filter((task) => operation.heads.some((head) => isAt(task, head)))
        .sort((a, b) => a.priority - b.priority || (a.id < b.id ? -1 : 1))
        .slice(0, operation.limit)
        .map(({ id }) => id);
    case "acquireOfWorker":
      if (!live.has(nodeId(operation.node))) return [];
      return tasks.filter((task) => runsOn(task, operation.worker)).map(({ id }) => id);
    case "acquire": {
      const node = nodeId(operation.node);
      const { worker } = operation;
      if (!live.has(node)) return [];
      return tasks
        .filter((task) => {
          if (worker !== null && runsOn(task, worker)) return true;
          return task.owner === null || task.owner === node || !enlisted.has(task.owner);
        })
        .map(({ id }) => id);
    }
    case "list": {
      const { status, head, order } = operation;
      const rows = tasks
        .filter((task) => status === null || task.status === statusOf(status))
        .filter((task) => head === null || JSON.parse(task.labels).head === `${head}`);
      return (order === "ascending" ? rows : rows.toReversed()).map(({ id }) => id);
    }
    default:
      return null;
  }
}

describe("the memory store, whatever it is asked", () => {
  test("answers as a scan of everything would", async () => {
    await fc.assert(
      fc.asyncProperty(storeOperations, async (operations) => {
        const world = openWorld();
        const { store } = world;
        const operator = await createStoreOperator(world);
        for (const operation of operations) {
          const expected = foretell(await scan(store), operation);
          const answer = await operator.apply(operation);
          if (expected === null) continue;
          const ids = (answer as readonly TaskRow[]).map(({ id }) => id);
          if (operation.type === "claim" || operation.type === "acquireOfWorker") {
            expect(ids).toEqual(expected);
          } else {
            // Which tasks were asked for is the operator's knowledge: what came is all allowed.
            expect(expected.filter((id) => ids.includes(id))).toEqual(ids);
          }
        }
      }),
    );
  });

  test("keeps the invariants that no turn can break", async () => {
    await fc.assert(
      fc.asyncProperty(storeOperations, async (operations) => {
        const world = openWorld();
        const { store } = world;
        const operator = await createStoreOperator(world);
        for (const operation of operations) {
          await operator.apply(operation);
          const findings = await store.doctor();
          expect(findings.filter(({ invariant }) => !breakable.has(invariant))).toEqual([]);
        }
      }),
    );
  });

  test("answers and holds the same for the same operations", async () => {
    await fc.assert(
      fc.asyncProperty(storeOperations, async (operations) => {
        await expectAlike({ expected: openWorld(), actual: openWorld() }, operations);
      }),
    );
  });

  test("a commit that fails changes nothing", async () => {
    const commit = storeOperation.filter(({ type }) => type === "commit");
    await fc.assert(
      fc.asyncProperty(storeOperations, commit, async (operations, last) => {
        const operator = await createStoreOperator(openWorld());
        for (const operation of operations) await operator.apply(operation);
        const before = await operator.inspect();
        const answer = await operator.apply(last);
        if (typeof answer === "string") expect(await operator.inspect()).toEqual(before);
      }),
    );
  });
});
