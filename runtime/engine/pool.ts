import type { Asked } from "../machines/task.events.ts";
import type { Clock } from "../ports/clock.ts";
import type { Head } from "../store/store.ts";
import type { Placement } from "./messages.ts";
import { freeSlots, headKey, slotsTaken, type WorkerActor } from "./worker-actor.ts";

/** Attempts that wait in the memory of one worker. */
const suspendedMax = 1_000;

/**
 * The workers attached to this node and the slots they have. Free slots are derived from what each
 * worker holds, never counted up and down, so that none leaks.
 */
export class Pool {
  readonly #workers = new Map<string, WorkerActor>();
  readonly #servers = new Map<string, Set<WorkerActor>>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Attempts that workers of this node have not reported, abandoned ones included. */
  get runningCount(): number {
    let running = 0;
    for (const { holdings, reported } of this.#workers.values())
      running += holdings.size - reported;
    return running;
  }

  /** Workers whose process is in reach. */
  get attachedCount(): number {
    let attached = 0;
    for (const { port } of this.#workers.values()) if (port !== null) attached += 1;
    return attached;
  }

  get(id: string): WorkerActor | undefined {
    return this.#workers.get(id);
  }

  all(): Iterable<WorkerActor> {
    return this.#workers.values();
  }

  add(worker: WorkerActor): void {
    this.remove(worker.row.id);
    this.#workers.set(worker.row.id, worker);
    for (const head of worker.heads) {
      const key = headKey(head);
      const servers = this.#servers.get(key) ?? new Set();
      this.#servers.set(key, servers.add(worker));
    }
  }

  remove(id: string): WorkerActor | undefined {
    const worker = this.#workers.get(id);
    if (worker === undefined) return undefined;
    this.#workers.delete(id);
    worker.cancelGrace?.();
    for (const head of worker.heads) {
      const key = headKey(head);
      const servers = this.#servers.get(key);
      servers?.delete(worker);
      if (servers?.size === 0) this.#servers.delete(key);
    }
    return worker;
  }

  isServed(head: Head): boolean {
    return this.#servers.has(headKey(head));
  }

  /** Keys of all heads that some worker here serves. */
  servedKeys(): Iterable<string> {
    return this.#servers.keys();
  }

  freeSlotsFor(head: Head): number {
    let free = 0;
    for (const worker of this.#servers.get(headKey(head)) ?? []) {
      free += Math.max(0, freeSlots(worker));
    }
    return free;
  }

  isServedAnyVersion(task: { readonly namespace: string; readonly definition: string }): boolean {
    for (const { row, heads } of this.#workers.values()) {
      if (row.namespace !== task.namespace) continue;
      if (heads.some((head) => head.definition === task.definition)) return true;
    }
    return false;
  }

  /** The least loaded worker that serves the head and may take the task; suspects never meet. */
  pick(head: Head, isSuspect: boolean): WorkerActor | null {
    let best: WorkerActor | null = null;
    let bestLoad = 1;
    for (const worker of this.#servers.get(headKey(head)) ?? []) {
      if (freeSlots(worker) <= 0 || (isSuspect && worker.suspects.size > 0)) continue;
      const load = slotsTaken(worker) / worker.row.slots;
      if (load >= bestLoad) continue;
      best = worker;
      bestLoad = load;
    }
    return best;
  }

  hold(worker: WorkerActor, holding: { token: string; task: string; isSuspect: boolean }): void {
    worker.holdings.set(holding.token, {
      ...holding,
      sentAt: null,
      missedBeats: 0,
      isAbandoned: false,
      isSuspended: false,
      isReported: false,
    });
    if (holding.isSuspect) worker.suspects.add(holding.token);
  }

  /** An attempt of a task that ended without it, or of nobody: it takes a slot until it is reported. */
  holdAbandoned(worker: WorkerActor, attempt: { token: string; task: string }): void {
    if (worker.holdings.get(attempt.token)?.isReported) return;
    const sentAt = this.#clock.monotonic();
    // What lent its slot wakes up to be stopped; what was a suspect is one still, as in `abandon`.
    this.resume(attempt.token);
    worker.holdings.set(attempt.token, {
      ...attempt,
      isSuspect: worker.suspects.has(attempt.token),
      sentAt,
      missedBeats: 0,
      isAbandoned: true,
      isSuspended: false,
      isReported: false,
    });
  }

  /** The worker's slot under this token is free again. */
  letGo(workerId: string, token: string): boolean {
    const worker = this.#workers.get(workerId);
    const holding = worker?.holdings.get(token);
    if (worker === undefined || holding === undefined) return false;
    worker.suspects.delete(token);
    if (holding.isSuspended) worker.suspended -= 1;
    if (holding.isReported) worker.reported -= 1;
    return worker.holdings.delete(token);
  }

  /**
   * The worker's slot is free, and its suspicion is over: whoever gets the slot does not wait for the
   * commit. Until then it is held all the same, or a node that begins again, and does not know of the
   * report, would take the attempt for lost. False: it is reported already, or nobody holds it.
   */
  report(workerId: string, token: string): boolean {
    const worker = this.#workers.get(workerId);
    const holding = worker?.holdings.get(token);
    if (worker === undefined || holding === undefined || holding.isReported) return false;
    worker.suspects.delete(token);
    if (holding.isSuspended) worker.suspended -= 1;
    holding.isSuspended = false;
    holding.isReported = true;
    worker.reported += 1;
    return true;
  }

  /** Frees the slot of an attempt that waits. False: it keeps it, or nobody holds it. */
  suspend(token: string): boolean {
    const worker = this.holderOf(token);
    const holding = worker?.holdings.get(token);
    if (worker === undefined || holding === undefined || holding.isReported) return false;
    if (holding.isSuspended) return true;
    if (worker.suspended >= suspendedMax) return false;
    holding.isSuspended = true;
    worker.suspended += 1;
    return true;
  }

  /** The worker may have more attempts than slots for a while: it gets no other until it has not. */
  resume(token: string): void {
    const worker = this.holderOf(token);
    const holding = worker?.holdings.get(token);
    if (worker === undefined || !holding?.isSuspended) return;
    holding.isSuspended = false;
    worker.suspended -= 1;
  }

  /** Finds who holds a token; tokens do not name their worker. */
  holderOf(token: string): WorkerActor | undefined {
    for (const worker of this.#workers.values()) if (worker.holdings.has(token)) return worker;
    return undefined;
  }

  markSent(workerId: string, token: string): void {
    const holding = this.#workers.get(workerId)?.holdings.get(token);
    if (holding !== undefined) holding.sentAt = this.#clock.monotonic();
  }

  /** True: it was never sent, and so its slot is free at once. */
  abandon(workerId: string, token: string): boolean {
    const holding = this.#workers.get(workerId)?.holdings.get(token);
    if (holding === undefined) return false;
    if (holding.sentAt === null) return this.letGo(workerId, token);
    // Its slot is free already.
    if (holding.isReported) this.letGo(workerId, token);
    // Still a suspect, if it was one: what nobody waits for any more can kill its worker all the same.
    holding.isAbandoned = true;
    return false;
  }

  definedPolicy(workerId: string, definition: string, version: string): Asked | undefined {
    const served = this.#workers
      .get(workerId)
      ?.definitions.find((it) => it.name === definition && (it.version ?? "") === version);
    return served;
  }

  /** Which of the worker's versions runs a task of the head. */
  versionFor(worker: WorkerActor, head: Head): string {
    if (head.version !== "") return head.version;
    return worker.definitions.findLast((it) => it.name === head.definition)?.version ?? "";
  }
}

export function placementOf(worker: WorkerActor, token: string, version: string): Placement {
  return { worker: worker.row.id, version, token };
}
