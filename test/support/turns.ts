import { systemEntropy } from "../../runtime/ports/entropy.ts";
import type {
  EventRow,
  TaskIdentity,
  TaskRow,
  TaskState,
  WorkerRow,
} from "../../runtime/store/rows.ts";
import type { StepsTurn, TaskTurn, WorkerTurn } from "../../runtime/store/turns.ts";

/** When everything built here happened, unless a test says otherwise. */
export const builtAt = Date.UTC(2026, 0, 1);

export function newId(): string {
  return systemEntropy.id();
}

export function event(seq: number, type: string, data: unknown = {}): EventRow {
  return { seq, type, at: builtAt + seq, data: JSON.stringify(data) };
}

type SubmitOverrides = Partial<TaskIdentity> & {
  readonly state?: Partial<TaskState>;
  readonly events?: readonly EventRow[];
  readonly timersSet?: TaskTurn["timersSet"];
};

/** The turn that makes a task: ready and unowned unless `state` says otherwise. */
export function submit(overrides: SubmitOverrides = {}): TaskTurn & { identity: TaskIdentity } {
  const { state, events, timersSet, ...identity } = overrides;
  const id = identity.id ?? newId();
  const journal = events ?? [event(1, "task.submitted", { definition: "resize" })];
  return {
    kind: "task",
    id,
    identity: {
      namespace: "default",
      definition: "resize",
      key: null,
      priority: 10,
      input: '{"z":1,"a":1.50}',
      labels: "{}",
      metadata: "{}",
      root: id,
      parent: null,
      trace: null,
      createdAt: builtAt,
      ...identity,
      id,
    },
    expectedSeq: 0,
    state: {
      status: "ready",
      version: "",
      seq: journal.length,
      snapshot: '{"value":"ready","context":{}}',
      owner: null,
      worker: null,
      attempt: 0,
      output: null,
      error: null,
      startedAt: null,
      endedAt: null,
      ...state,
    },
    events: journal,
    timersSet: timersSet ?? [],
    timersCleared: [],
    letters: [],
  };
}

/** A submit that is assigned at once: the task is running on `worker` under `node`. */
export function submitRunning(
  place: { node: string; worker: string },
  overrides: SubmitOverrides = {},
): TaskTurn & { identity: TaskIdentity } {
  return submit({
    ...overrides,
    state: {
      status: "running",
      owner: place.node,
      worker: place.worker,
      attempt: 1,
      startedAt: builtAt,
      ...overrides.state,
    },
    events: overrides.events ?? [
      event(1, "task.submitted"),
      event(2, "attempt.assigned", { token: "1", worker: place.worker }),
    ],
  });
}

type TurnOverrides = Partial<Omit<TaskTurn, "kind" | "id" | "identity" | "state">> & {
  readonly state?: Partial<TaskState>;
};

/** The next turn of a task as it stands in `row`; one `step.recorded` unless `events` are given. */
export function turnOf(
  row: { readonly id: string } & TaskState,
  overrides: TurnOverrides = {},
): TaskTurn {
  const events = overrides.events ?? [event(row.seq + 1, "step.recorded")];
  return {
    kind: "task",
    id: row.id,
    identity: null,
    expectedSeq: row.seq,
    timersSet: [],
    timersCleared: [],
    letters: [],
    ...overrides,
    events,
    state: {
      status: row.status,
      version: row.version,
      snapshot: row.snapshot,
      owner: row.owner,
      worker: row.worker,
      attempt: row.attempt,
      output: row.output,
      error: row.error,
      startedAt: row.startedAt,
      endedAt: row.endedAt,
      seq: row.seq + events.length,
      ...overrides.state,
    },
  };
}

/** Steps of a task whose journal ends at `after`; their outcomes are long, so that a tail shows none. */
export function stepsOf(
  id: string,
  { after, count = 1 }: { after: number; count?: number },
): StepsTurn {
  const events = Array.from({ length: count }, (_, index) => {
    const seq = after + 1 + index;
    return event(seq, "step.recorded", {
      token: "1",
      step: `step-${seq}`,
      occurrence: 1,
      output: "x".repeat(50),
    });
  });
  return { kind: "steps", id, events };
}

/** What a task is once it has succeeded: unowned, with an output and an end. */
export const succeeded = {
  status: "succeeded",
  owner: null,
  worker: null,
  output: '{"done":true}',
  endedAt: builtAt,
} as const satisfies Partial<TaskState>;

/** A submit of a task that has succeeded already. */
export function submitEnded(overrides: SubmitOverrides = {}): TaskTurn & {
  identity: TaskIdentity;
} {
  return submit({
    ...overrides,
    state: { ...succeeded, attempt: 1, startedAt: builtAt, ...overrides.state },
    events: overrides.events ?? [
      event(1, "task.submitted"),
      event(2, "attempt.assigned", { token: "1", worker: newId() }),
      event(3, "attempt.succeeded", { token: "1" }),
    ],
  });
}

type WorkerOverrides = Partial<WorkerRow> & {
  readonly leaseMs?: number;
  readonly events?: readonly EventRow[];
};

/** The turn that registers a worker which no store has seen. */
export function register(overrides: WorkerOverrides = {}): WorkerTurn {
  const { leaseMs, events, ...row } = overrides;
  const id = row.id ?? newId();
  return {
    kind: "worker",
    id,
    expectedSeq: 0,
    leaseMs: leaseMs ?? 60_000,
    events: events ?? [event(1, "worker.registered")],
    row: {
      namespace: "default",
      name: id,
      instance: newId(),
      status: "serving",
      seq: 1,
      snapshot: '{"value":"serving","context":{}}',
      node: null,
      slots: 10,
      labels: "{}",
      definitions: '[{"name":"resize","version":""}]',
      registeredAt: builtAt,
      // The store sets it from `leaseMs` by its own clock.
      expiresAt: 0,
      ...row,
      id,
    },
  };
}

/** The next turn of a worker as it stands in `row`. */
export function workerTurnOf(row: WorkerRow, overrides: WorkerOverrides = {}): WorkerTurn {
  const { leaseMs, events, ...changes } = overrides;
  const happened = events ?? [event(row.seq + 1, "worker.draining")];
  return {
    kind: "worker",
    id: row.id,
    expectedSeq: row.seq,
    leaseMs: leaseMs ?? 60_000,
    events: happened,
    row: { ...row, seq: row.seq + happened.length, ...changes },
  };
}

/** The row a store shows after this submit. */
export function rowOf(turn: TaskTurn & { readonly identity: TaskIdentity }): TaskRow {
  return { ...turn.identity, ...turn.state, progress: null };
}
