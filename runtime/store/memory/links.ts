import type { TaskTurn, Turn } from "../turns.ts";
import { compound, type Tables } from "./tables.ts";

const released = JSON.stringify({ type: "released" });

/** What turns do to other tasks, once all of them are written. True: letters were. */
export function followLinks(tables: Tables, turns: readonly Turn[]): boolean {
  const linked = turns.filter((turn) => turn.kind === "task" && turn.links !== undefined);
  const before = tables.letters.size;
  const foretold = new Set(
    linked.filter((turn) => turn.kind === "task" && turn.links?.isForetold).map(({ id }) => id),
  );
  for (const turn of linked as readonly TaskTurn[]) {
    const { dependsOn = [], posts = [] } = turn.links ?? {};
    for (const dependency of dependsOn) drawEdge(tables, dependency, turn.id);
    for (const letter of posts) if (tables.tasks.has(letter.actor)) post(tables, letter);
  }
  writeToChildren(tables, linked as readonly TaskTurn[]);
  for (const turn of linked as readonly TaskTurn[]) {
    if (turn.links?.hasReopened === true) reopen(tables, turn.id);
  }
  for (const turn of linked as readonly TaskTurn[]) {
    if (turn.links?.asksGate === true) askGate(tables, turn.id);
  }
  for (const turn of linked as readonly TaskTurn[]) {
    if (turn.links?.hasEnded === true) release(tables, turn.id, foretold);
  }
  return tables.letters.size > before;
}

/** A foretold task that waits for more than what ends among these turns; null: there is none. */
export function mistakenIn(tables: Tables, turns: readonly Turn[]): Turn | null {
  const tasks = turns.filter((turn) => turn.kind === "task");
  const ends = new Set(tasks.filter(({ links }) => links?.hasEnded).map(({ id }) => id));
  const reopened = new Set(tasks.filter(({ links }) => links?.hasReopened).map(({ id }) => id));
  const isMistaken = ({ id, links }: TaskTurn): boolean => {
    if (links?.isForetold !== true) return false;
    const dependencies = [...(tables.dependencies.get(id) ?? [])];
    const awaited = dependencies.filter((it) => ends.has(it)).length;
    const again = dependencies.filter((it) => reopened.has(it)).length;
    return awaited === 0 || awaited !== (tables.gates.get(id) ?? 0) + again;
  };
  return tasks.find(isMistaken) ?? null;
}

function drawEdge(tables: Tables, dependency: string, dependent: string): void {
  const dependencies = tables.dependencies.get(dependent) ?? new Set();
  if (dependencies.has(dependency)) return;
  tables.dependencies.set(dependent, dependencies.add(dependency));
  const dependents = tables.dependents.get(dependency) ?? new Set();
  tables.dependents.set(dependency, dependents.add(dependent));
  tables.gates.set(dependent, (tables.gates.get(dependent) ?? 0) + 1);
}

function reopen(tables: Tables, dependency: string): void {
  for (const dependent of tables.dependents.get(dependency) ?? []) {
    tables.gates.set(dependent, (tables.gates.get(dependent) ?? 0) + 1);
  }
}

function askGate(tables: Tables, task: string): void {
  if ((tables.gates.get(task) ?? 0) > 0) return;
  post(tables, {
    id: compound("asked", task, seqOf(tables, task)),
    actor: task,
    message: released,
  });
}

/** Makes a letter's id its own: an earlier one of the like may lie there still, already acted upon. */
function seqOf({ tasks }: Tables, task: string): string {
  return String(tasks.get(task)?.seq ?? 0);
}

function release(tables: Tables, dependency: string, foretold: ReadonlySet<string>): void {
  for (const dependent of tables.dependents.get(dependency) ?? []) {
    const pending = (tables.gates.get(dependent) ?? 0) - 1;
    tables.gates.set(dependent, pending);
    if (pending !== 0 || foretold.has(dependent)) continue;
    const id = compound("released", dependent, dependency, seqOf(tables, dependency));
    post(tables, { id, actor: dependent, message: released });
  }
}

/** To the first on each way down that have not ended: what is under those is theirs to tell. */
function writeToChildren(tables: Tables, turns: readonly TaskTurn[]): void {
  const passing = turns.filter(({ links }) => links?.toChildren !== undefined);
  if (passing.length === 0) return;
  const children = Map.groupBy(tables.tasks.values(), ({ parent }) => parent);
  for (const { id: parent, links } of passing) {
    const message = links?.toChildren ?? "null";
    const ended = [parent];
    for (let above = ended.pop(); above !== undefined; above = ended.pop()) {
      for (const { id, endedAt } of children.get(above) ?? []) {
        if (endedAt !== null) ended.push(id);
        else post(tables, { id: compound("child", parent, id), actor: id, message });
      }
    }
  }
}

function post(tables: Tables, letter: { id: string; actor: string; message: string }): void {
  if (!tables.letters.has(letter.id)) tables.letters.set(letter.id, letter);
}
