import type { JsonText, TaskRow } from "../rows.ts";
import { type CommitStore, StoreError } from "../store.ts";
import type { Batch, Committed, StepsTurn, TaskTurn, Turn, WorkerTurn } from "../turns.ts";
import { followLinks, mistakenIn } from "./links.ts";
import { isLive } from "./ownership.ts";
import {
  appendEvents,
  clearTimer,
  compound,
  placeOf,
  putTask,
  putWorker,
  setTimer,
  type Tables,
} from "./tables.ts";

export function createCommitStore(tables: Tables): CommitStore {
  return {
    async commit(batch) {
      return commitBatch(tables, batch);
    },
  };
}

/** Judges everything before it writes anything: all or nothing, without an undo. */
function commitBatch(tables: Tables, batch: Batch): Committed {
  if (!isLive(tables, batch.node)) {
    throw new StoreError("fenced", `node ${batch.node} has no live lease`);
  }
  const losers = findLosers(tables, batch);
  const turns = batch.turns.filter(({ id }) => !losers.has(id));
  const lanes = tables.batches.get(batch.node) ?? new Map<number, number>();
  const lastId = lanes.get(batch.lane);
  if (lastId === batch.id) return { losers, hasMail: true };
  if (lastId !== undefined && batch.id < lastId) {
    throw new StoreError("stale", `batch ${batch.id} of lane ${batch.lane} is behind ${lastId}`);
  }

  for (const turn of turns) {
    if (turn.kind === "task") judgeTask(tables, batch, turn);
    else if (turn.kind === "steps") judgeSteps(tables, batch.node, turn);
    else judgeWorker(tables, turn);
  }
  judgeRows(tables, turns);
  const mistaken = mistakenIn(tables, turns);
  if (mistaken !== null) throw stale(mistaken, "it waits for more than was foretold");

  for (const turn of turns) {
    if (turn.kind === "task") writeTask(tables, turn);
    else if (turn.kind === "steps") appendEvents(tables, turn.id, turn.events);
    else writeWorker(tables, turn);
  }
  const hasMail = followLinks(tables, turns);
  lanes.set(batch.lane, batch.id);
  tables.batches.set(batch.node, lanes);
  return { losers, hasMail };
}

/**
 * Submits whose key or place is taken, by an earlier task or by one before them in the batch; and
 * what is under one that lost, or that is not running once the batch is written.
 */
function findLosers(tables: Tables, batch: Batch): ReadonlySet<string> {
  const losers = new Set<string>();
  const taken = new Map<string, string>();
  for (const turn of batch.turns) {
    if (turn.kind !== "task" || turn.identity === null) continue;
    const { namespace, key } = turn.identity;
    if (key !== null) contend(compound(namespace, key), tables.keys, turn.id);
    const place = placeOf(turn.identity);
    if (place !== null) contend(place, tables.places, turn.id);
    const { restart } = turn.identity;
    if (restart !== undefined) contend(restart.of, tables.restarts, turn.id);
  }
  const made = new Set<string>();
  const turned = new Map<string, TaskTurn>();
  for (const turn of batch.turns) if (turn.kind === "task") turned.set(turn.id, turn);
  for (const turn of batch.turns) {
    if (turn.kind !== "task" || turn.identity === null) continue;
    const { parent, place } = turn.identity;
    const { restart } = turn.identity;
    if (restart !== undefined && tables.tasks.get(restart.of)?.endedAt == null) losers.add(turn.id);
    const isThere = tables.tasks.has(turn.id);
    const isOrphan = parent !== null && !made.has(parent) && !isRunning(parent);
    if (place !== undefined && isOrphan && !isThere) losers.add(turn.id);
    if (!losers.has(turn.id)) made.add(turn.id);
  }
  return losers;

  function isRunning(id: string): boolean {
    const known = tables.tasks.get(id);
    return known !== undefined && (turned.get(id)?.state ?? known).status === "running";
  }

  function contend(claim: string, holders: ReadonlyMap<string, string>, id: string): void {
    const holder = holders.get(claim) ?? taken.get(claim);
    if (holder === undefined) taken.set(claim, id);
    else if (holder !== id) losers.add(id);
  }
}

/** What a database's types and unique indexes would refuse. */
function judgeRows(tables: Tables, turns: readonly Turn[]): void {
  const written = new Set<string>();
  const names = new Set<string>();
  for (const turn of turns) {
    if (JSON.stringify(turn).includes("\\u0000")) refuse(turn, "holds a NUL");
    for (const text of jsonTextsOf(turn)) {
      if (text !== null && !isJson(text)) refuse(turn, "holds text that is not JSON");
    }
    const journal = tables.journals.get(turn.id);
    for (const { seq } of turn.events) {
      const place = compound(turn.id, String(seq));
      if (written.has(place) || journal?.has(seq)) throw stale(turn, `event ${seq} is there`);
      written.add(place);
    }
    if (turn.kind !== "worker") continue;
    const name = compound(turn.row.namespace, turn.row.name);
    const holder = tables.workerNames.get(name) ?? turn.id;
    if (names.has(name) || holder !== turn.id) refuse(turn, `takes the name ${turn.row.name}`);
    names.add(name);
  }
}

function refuse(turn: Turn, reason: string): never {
  throw new StoreError("refused", `the turn of ${turn.kind} ${turn.id} ${reason}`);
}

function jsonTextsOf(turn: Turn): readonly (JsonText | null)[] {
  const data = turn.events.map((event) => event.data);
  if (turn.kind === "worker") {
    return [turn.row.snapshot, turn.row.labels, turn.row.definitions, ...data];
  }
  if (turn.kind === "steps") return data;
  const { identity, state } = turn;
  const fixed = identity === null ? [] : [identity.input, identity.labels, identity.metadata];
  return [...fixed, state.snapshot, state.output, state.error, ...data];
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function judgeTask(tables: Tables, { node, turns }: Batch, turn: TaskTurn): void {
  const row = tables.tasks.get(turn.id);
  if (turn.identity !== null) {
    if (row !== undefined) throw stale(turn, "it exists");
  } else if (row === undefined) {
    throw stale(turn, "it does not exist");
  } else if (row.seq !== turn.expectedSeq) {
    throw stale(turn, `it is at seq ${row.seq}`);
  } else if (!isToBeWritten(row, turn, node)) {
    throw stale(turn, `it is owned by ${row.owner ?? "nobody"}`);
  }
  const isRestarted = turn.events.some(({ type }) => type === "task.restarted");
  const doesAgain = (it: Turn) => it.kind === "task" && it.identity?.restart?.of === turn.id;
  if (isRestarted && (tables.restarts.has(turn.id) || turns.some(doesAgain))) {
    throw stale(turn, "it was done again");
  }
  if (isRestarted && isBeingCancelled(tables, turn.id)) throw stale(turn, "a cancel is on its way");
  const missing = turn.letters.find((id) => !tables.letters.has(id));
  if (missing !== undefined) throw stale(turn, `it has no letter ${missing}`);
}

function isToBeWritten({ owner, status }: TaskRow, turn: TaskTurn, node: string): boolean {
  if (turn.links?.isForetold === true) return owner === null;
  return owner === node || (turn.leavesQueue === true && owner === null && status === "ready");
}

function isBeingCancelled({ letters }: Tables, task: string): boolean {
  const isCancel = (message: JsonText) => JSON.parse(message).type === "cancel";
  return [...letters.values()].some(({ actor, message }) => actor === task && isCancel(message));
}

function judgeSteps(tables: Tables, node: string, turn: StepsTurn): void {
  const owner = tables.tasks.get(turn.id)?.owner ?? null;
  if (owner !== node) throw stale(turn, `it is owned by ${owner ?? "nobody"}`);
}

function judgeWorker(tables: Tables, turn: WorkerTurn): void {
  const seq = tables.workers.get(turn.id)?.seq ?? 0;
  if (seq !== turn.expectedSeq) throw stale(turn, `it is at seq ${seq}`);
}

function stale(turn: Turn, reason: string): StoreError {
  return new StoreError("stale", `the turn of ${turn.kind} ${turn.id} is stale: ${reason}`);
}

function writeTask(tables: Tables, turn: TaskTurn): void {
  const before = tables.tasks.get(turn.id);
  if (turn.identity !== null) putTask(tables, { ...turn.identity, ...turn.state, progress: null });
  else {
    const input = turn.links?.input;
    const resolved = input === undefined ? {} : { input };
    putTask(tables, { ...(before as TaskRow), ...turn.state, ...resolved });
  }
  appendEvents(tables, turn.id, turn.events);
  for (const kind of turn.timersCleared) clearTimer(tables, turn.id, kind);
  for (const timer of turn.timersSet) setTimer(tables, { actor: turn.id, ...timer });
  for (const id of turn.letters) tables.letters.delete(id);
}

function writeWorker(tables: Tables, turn: WorkerTurn): void {
  putWorker(tables, { ...turn.row, expiresAt: tables.clock.now() + turn.leaseMs });
  appendEvents(tables, turn.id, turn.events);
}
