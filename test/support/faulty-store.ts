import { type Store, StoreError, type StoreFault } from "../../runtime/store/store.ts";
import type { Batch, Committed } from "../../runtime/store/turns.ts";

/** What a commit meets. `lostAnswer`: it is applied, and then the connection ends. */
export type CommitFault = StoreFault | "lostAnswer";

interface FaultPlan {
  readonly fault: CommitFault;
  /** How many commits meet it; once unless given. */
  readonly times?: number;
  /** Which batches it is for; all unless given. */
  hits?(batch: Batch): boolean;
}

export interface FaultyStore extends Store {
  /** Every batch that was sent, faults included, in order. */
  readonly sent: readonly Batch[];
  plan(plan: FaultPlan): void;
  /** Forgets what was planned. */
  heal(): void;
  /** Commits wait from now on; the returned function lets them go, in order. */
  hold(): () => void;
  /** Answers of `room.method` are held back from now on, until the returned function is called. */
  holdAnswers(call: StoreCall): () => void;
  /** The next calls of `room.method` reject, as unavailable unless told otherwise. */
  failNext(call: StoreCall, times?: number, fault?: StoreFault): void;
  /** How often `room.method` was called so far. */
  countOf(call: StoreCall): number;
}

type StoreCall = `${keyof Store}.${string}`;

/**
 * A node's own view of a store that may be shared: its commits meet planned faults, and closing it
 * leaves the store open to the others.
 */
export function createFaultyStore(store: Store): FaultyStore {
  const sent: Batch[] = [];
  let plans: { readonly plan: FaultPlan; left: number }[] = [];
  let gate: Promise<void> = Promise.resolve();
  const failures = new Map<string, { readonly fault: StoreFault; left: number }>();
  const counts = new Map<string, number>();
  const inFlight = new Set<string>();
  const gates = new Map<string, Promise<void>>();

  async function commit(batch: Batch): Promise<Committed> {
    sent.push(batch);
    // An actor has at most one turn under way, in whatever lane.
    const rival = batch.turns.find(({ id }) => inFlight.has(id));
    if (rival !== undefined) throw new Error(`${rival.id} has two turns under way`);
    for (const { id } of batch.turns) inFlight.add(id);
    try {
      return await commitOnce(batch);
    } finally {
      for (const { id } of batch.turns) inFlight.delete(id);
    }
  }

  async function commitOnce(batch: Batch): Promise<Committed> {
    await gate;
    const planned = plans.find(({ plan, left }) => left > 0 && (plan.hits?.(batch) ?? true));
    if (planned === undefined) return store.commits.commit(batch);
    planned.left -= 1;
    const { fault } = planned.plan;
    if (fault !== "lostAnswer") throw new StoreError(fault, `planned: ${fault}`);
    await store.commits.commit(batch);
    throw new StoreError("unknown", "planned: the answer was lost");
  }

  function failing<Room extends object>(name: keyof Store, room: Room): Room {
    return new Proxy(room, {
      get(target, method: string) {
        const member: unknown = Reflect.get(target, method);
        if (typeof member !== "function") return member;
        return async (...params: unknown[]): Promise<unknown> => {
          const call = `${name}.${method}`;
          counts.set(call, (counts.get(call) ?? 0) + 1);
          const failure = failures.get(call);
          if (failure !== undefined && failure.left > 0) {
            failure.left -= 1;
            throw new StoreError(failure.fault, `planned: ${call}`);
          }
          const answer: unknown = await Reflect.apply(member, target, params);
          await gates.get(call);
          return answer;
        };
      },
    });
  }

  const listening: { close(): Promise<void> }[] = [];
  return {
    sent,
    plan(plan) {
      plans.push({ plan, left: plan.times ?? 1 });
    },
    heal() {
      plans = [];
      failures.clear();
    },
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      return resolve;
    },
    holdAnswers(call) {
      const { promise, resolve } = Promise.withResolvers<void>();
      gates.set(call, promise);
      return resolve;
    },
    failNext(call, times = 1, fault = "unavailable") {
      failures.set(call, { fault, left: times });
    },
    countOf: (call) => counts.get(call) ?? 0,
    nodes: failing("nodes", store.nodes),
    commits: { commit },
    queue: failing("queue", store.queue),
    tasks: failing("tasks", store.tasks),
    graphs: failing("graphs", store.graphs),
    pipelines: failing("pipelines", store.pipelines),
    journal: failing("journal", store.journal),
    timers: failing("timers", store.timers),
    mail: failing("mail", store.mail),
    workers: failing("workers", store.workers),
    definitions: failing("definitions", store.definitions),
    watches: failing("watches", store.watches),
    hints: {
      send: (hints) => failing("hints", store.hints).send(hints),
      async listen(listener) {
        const listened = await store.hints.listen(listener);
        listening.push(listened);
        return listened;
      },
    },
    doctor: (isWanted) => store.doctor(isWanted),
    now: () => store.now(),
    async close() {
      await Promise.all(listening.map((each) => each.close()));
    },
  };
}
