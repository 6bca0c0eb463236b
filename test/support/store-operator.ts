import type { TaskRow, TaskState } from "../../runtime/store/rows.ts";
import type { Head, Store } from "../../runtime/store/store.ts";
import type { Batch, TaskTurn, Turn } from "../../runtime/store/turns.ts";
import type { TaskStatus } from "../../sdk/protocol/task.ts";
import { faultOf } from "./fault.ts";
import {
  headCount,
  nodeCount,
  type Shape,
  type StoreOperation,
  type TurnPlan,
} from "./store-operations.ts";
import { builtAt, register, stepsOf, submit, succeeded, turnOf, workerTurnOf } from "./turns.ts";

/** Applies operations to one store; two that are given the same ones can be compared. */
interface StoreOperator {
  /** The answer as plain data, without what a store may choose: order where there is none, instants. */
  apply(operation: StoreOperation): Promise<unknown>;
  /** Everything that the store shows. */
  inspect(): Promise<unknown>;
}

interface Letters {
  /** Posted and not consumed, by task. */
  readonly unread: Map<string, string[]>;
  posted: number;
}

const endlessMs = 600_000;
const plenty = 10_000;
const namespace = "default";

export function nodeId(index: number): string {
  return idOf("a", index);
}

export function workerId(index: number): string {
  return idOf("b", index);
}

export function headAt(index: number): Head {
  return {
    namespace,
    definition: index < 2 ? "resize" : "count",
    version: index % 2 === 0 ? "" : "2",
  };
}

/** A UUIDv7 of our own making: the same in every store, in the order of `index`. */
function idOf(family: string, index: number): string {
  return `00000000-0000-7000-8000-${family}${index.toString(16).padStart(11, "0")}`;
}

export interface OperatedWorld {
  readonly store: Store;
  advance(ms: number): Promise<void> | void;
}

/** Enlists the nodes of the operations in a store that is empty. */
export async function createStoreOperator(world: OperatedWorld): Promise<StoreOperator> {
  const { store } = world;
  const tasks: { readonly id: string; readonly root: string }[] = [];
  const letters: Letters = { unread: new Map(), posted: 0 };
  const batches = new Map<number, Batch>();

  for (let index = 0; index < nodeCount; index += 1) {
    const identity = { incarnation: nodeId(index), host: "host-1", pid: 1, processStart: "1" };
    await store.nodes.enlist(identity, endlessMs);
  }

  function taskAt(index: number): string {
    return tasks[index % tasks.length]?.id ?? idOf("f", 0);
  }

  async function turnsOf(plans: readonly TurnPlan[], node: string): Promise<Turn[]> {
    const turns = new Map<string, Turn>();
    const keys = new Set<number>();
    for (const plan of plans) {
      // Which of two equal keys in one batch wins is the store's own choice.
      if (plan.type === "submit" && plan.key !== null) {
        if (keys.has(plan.key)) continue;
        keys.add(plan.key);
      }
      const turn = await turnOfPlan(plan, node);
      // An actor has one turn in a batch.
      if (turn !== null && !turns.has(turn.id)) turns.set(turn.id, turn);
    }
    return [...turns.values()];
  }

  async function turnOfPlan(plan: TurnPlan, node: string): Promise<Turn | null> {
    if (plan.type === "submit") return submitOf(plan, node);
    if (plan.type === "worker") {
      const row = await store.workers.read(workerId(plan.worker));
      if (row !== null) return workerTurnOf(row, { status: plan.status, node });
      const id = workerId(plan.worker);
      return register({ id, name: id, instance: id, node, status: plan.status });
    }
    const [row] = await store.tasks.readMany([taskAt(plan.task)]);
    if (row === undefined) return null;
    if (plan.type === "steps") {
      if (row.status !== "running") return null;
      const journal = await store.journal.read(row.id, 0, plenty);
      const after = (journal.at(-1)?.seq ?? 0) - (plan.outdated ? 1 : 0);
      return stepsOf(row.id, { after, count: plan.count });
    }
    const turn = turnOf(row, {
      ...shaped(plan.shape, { node, worker: workerId(plan.worker), task: row.id }),
      letters: plan.consumes ? (letters.unread.get(row.id) ?? []) : [],
    });
    return plan.outdated ? { ...turn, expectedSeq: row.seq - 1 } : turn;
  }

  function submitOf(plan: TurnPlan & { type: "submit" }, node: string): TaskTurn {
    const id = idOf("c", tasks.length);
    const parent = plan.parent === null ? undefined : tasks[plan.parent % tasks.length];
    const root = parent?.root ?? id;
    const { definition, version } = headAt(plan.head);
    const { state, timersSet } = shaped(plan.shape, {
      node,
      worker: workerId(plan.worker),
      task: id,
    });
    tasks.push({ id, root });
    return submit({
      id,
      root,
      parent: parent?.id ?? null,
      key: plan.key === null ? null : `key-${plan.key}`,
      priority: plan.priority,
      definition,
      labels: `{"head":"${plan.head}"}`,
      state: { ...state, version },
      timersSet,
    });
  }

  async function commit(index: number, batch: Batch): Promise<unknown> {
    batches.set(index, batch);
    let losers: readonly string[] = [];
    const fault = await faultOf(
      store.commits.commit(batch).then((committed) => {
        losers = [...committed.losers].sort();
      }),
    );
    if (fault !== null) return fault;
    for (const turn of batch.turns) {
      if (turn.kind === "task" && turn.letters.length > 0) letters.unread.delete(turn.id);
    }
    return { losers };
  }

  async function apply(operation: StoreOperation): Promise<unknown> {
    switch (operation.type) {
      case "commit": {
        const node = nodeId(operation.node);
        const turns = await turnsOf(operation.plans, node);
        const id = (batches.get(operation.node)?.id ?? 0) + 1;
        return commit(operation.node, { node, lane: 0, id, turns });
      }
      case "sendAgain": {
        // Losers are found anew, so they may differ once tasks were deleted: only the fault counts.
        const batch = batches.get(operation.node);
        return batch === undefined ? null : faultOf(store.commits.commit(batch));
      }
      case "expire": {
        const renewed = await store.nodes.renew(nodeId(operation.node), 1);
        await world.advance(5);
        return [renewed !== null, [...(await store.nodes.expired())].sort()];
      }
      case "renew":
        return (await store.nodes.renew(nodeId(operation.node), endlessMs)) !== null;
      case "remove":
        return store.nodes.remove(nodeId(operation.node));
      case "free":
        return store.nodes.free(plenty);
      case "claim": {
        const { node, heads, limit } = operation;
        return store.queue.claim(nodeId(node), heads.map(headAt), limit).then(shownInOrder);
      }
      case "depth":
        return store.queue.depth(headAt(operation.head), operation.cap);
      case "acquire": {
        const worker = operation.worker === null ? [] : [workerId(operation.worker)];
        return store.tasks
          .acquire(nodeId(operation.node), operation.tasks.map(taskAt), ...worker)
          .then(shownById);
      }
      case "acquireOfWorker":
        return store.tasks
          .acquireOfWorker(nodeId(operation.node), workerId(operation.worker))
          .then(shownById);
      case "release":
        return store.tasks.release(nodeId(operation.node), operation.tasks.map(taskAt));
      case "takeDue": {
        const taken = await store.timers.takeDue(nodeId(operation.node), operation.limit);
        return taken.map(({ timer, task }) => ({ timer, task: shown(task) }));
      }
      case "post": {
        const actor = taskAt(operation.task);
        const id = idOf("d", letters.posted);
        letters.posted += 1;
        letters.unread.set(actor, [...(letters.unread.get(actor) ?? []), id]);
        return store.mail.post({ id, actor, message: '{"type":"cancel"}' });
      }
      case "collect": {
        const collected = await store.mail.collect(nodeId(operation.node), operation.limit, []);
        return collected.map(({ letter, task }) => ({ letter, task: shown(task) }));
      }
      case "deleteOrphans":
        return store.mail.deleteOrphans();
      case "deleteEnded":
        return store.tasks.deleteEnded(builtAt + 1, plenty);
      case "watch":
      case "unwatch": {
        const task = taskAt(operation.task);
        const [row] = await store.tasks.readMany([task]);
        return row && store.watches[operation.type](nodeId(operation.node), [task]);
      }
      case "watchers":
        return (await store.watches.watchers(operation.tasks.map(taskAt)))
          .map(({ node, task }) => `${task} by ${node}`)
          .sort();
      case "readByKey": {
        const row = await store.tasks.readByKey(namespace, `key-${operation.key}`);
        return row && shown(row);
      }
      case "list":
        return store.tasks.list(queryOf(operation, taskAt)).then(shownInOrder);
      case "renewWorkers": {
        const { node, workers } = operation;
        const ids = workers.map(workerId);
        return [...(await store.workers.renew(nodeId(node), ids, endlessMs))].sort();
      }
      default:
        return operation satisfies never;
    }
  }

  return {
    apply,
    async inspect() {
      const rows = await allTasks(store);
      const workers = await store.workers.list(namespace);
      const ids = [...tasks, ...workers].map(({ id }) => id).sort();
      const journals = await Promise.all(
        ids.map(async (actor) => ({ actor, events: await store.journal.read(actor, 0, plenty) })),
      );
      return {
        tasks: rows.map(shown),
        workers: workers.map(({ id, status, seq, node }) => ({ id, status, seq, node })).sort(byId),
        journals: journals.filter(({ events }) => events.length > 0),
        depths: await Promise.all(
          Array.from({ length: headCount }, (_, head) => store.queue.depth(headAt(head), plenty)),
        ),
        hasTimer: (await store.timers.untilNext()) !== null,
        findings: (await store.doctor()).map(({ invariant, count }) => ({ invariant, count })),
      };
    },
  };
}

/** The tasks of a store in the order of their ids. */
export async function allTasks(store: Store): Promise<readonly TaskRow[]> {
  return store.tasks.list({ namespace, order: "ascending", limit: plenty });
}

function queryOf(
  operation: StoreOperation & { type: "list" },
  taskAt: (index: number) => string,
): Parameters<Store["tasks"]["list"]>[0] {
  const { status, head, beyond, order, limit } = operation;
  return {
    namespace,
    order,
    limit,
    ...(status === null ? {} : { status: [statusOf(status)] }),
    ...(head === null ? {} : { labels: { head: `${head}` } }),
    ...(beyond === null ? {} : { beyond: taskAt(beyond) }),
  };
}

export function statusOf(shape: Shape): TaskStatus {
  return shape === "owned" ? "ready" : shape;
}

/** A state of this shape, and timers to match; instants differ by task, so that none tie. */
function shaped(
  shape: Shape,
  place: { readonly node: string; readonly worker: string; readonly task: string },
): { state: Partial<TaskState> } & Pick<TaskTurn, "timersSet" | "timersCleared"> {
  const number = Number.parseInt(place.task.slice(-8), 16);
  const isWaiting = shape === "waiting";
  const isEnded = shape === "succeeded";
  const holdsSlot = shape === "running" || shape === "cancelling";
  return {
    state: {
      ...(isEnded ? succeeded : { output: null, endedAt: null }),
      status: statusOf(shape),
      owner: shape === "owned" || holdsSlot ? place.node : null,
      worker: holdsSlot ? place.worker : null,
    },
    timersSet: isWaiting
      ? [
          { kind: "due", dueAt: 2 * number + 1 },
          { kind: "deadline", dueAt: 2 * number + 2 },
        ]
      : [],
    timersCleared: [
      ...(isWaiting ? [] : ["due" as const]),
      ...(isEnded ? ["deadline" as const] : []),
    ],
  };
}

function shown(row: TaskRow) {
  return { ...row, labels: JSON.parse(row.labels), metadata: JSON.parse(row.metadata) };
}

function shownInOrder(rows: readonly TaskRow[]) {
  return rows.map(shown);
}

function shownById(rows: readonly TaskRow[]) {
  return rows.map(shown).sort(byId);
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : 1;
}
