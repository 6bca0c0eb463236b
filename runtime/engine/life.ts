import type { Clock } from "../ports/clock.ts";
import { DatabaseClock } from "../ports/database-clock.ts";
import type { Entropy } from "../ports/entropy.ts";
import type { ProcessIdentity } from "../ports/host-process.ts";
import type { Log } from "../ports/log.ts";
import type { Meters } from "../ports/meters.ts";
import type { Preprocessing } from "../ports/preprocessing.ts";
import type { TaskRow } from "../store/rows.ts";
import type { Head, Hint, Store } from "../store/store.ts";
import { Assignments } from "./assignments.ts";
import type { Audience } from "./audience.ts";
import { Backlog } from "./backlog.ts";
import { Deadlines } from "./deadlines.ts";
import { GroupCommit } from "./group-commit.ts";
import { Joins } from "./joins.ts";
import { NodeLease } from "./node-lease.ts";
import { PipelineBook } from "./pipeline-book.ts";
import { Pool } from "./pool.ts";
import { Post } from "./post.ts";
import { Repairs } from "./repairs.ts";
import { RootSizes } from "./root-sizes.ts";
import { createRounds, type Rounds } from "./rounds.ts";
import { TaskDirectory } from "./task-directory.ts";
import { Watches } from "./watches.ts";
import { WorkerRegistry } from "./worker-registry.ts";

interface LifeOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly meters: Meters;
  readonly process: ProcessIdentity;
  readonly preprocessing: Preprocessing;
  readonly nodeLeaseMs: number;
  readonly workerLeaseMs: number;
  readonly heartbeatMs: number;
  readonly lanes: number;
  /** Ended roots older than this are deleted; null keeps them. */
  readonly retentionMs: number | null;
  /** Outlives this life: who waits does not care which incarnation answers. */
  readonly audience: Audience;
  /** The lease is gone; everything here is over. */
  onDeath(): void;
}

const releaseRetryMs = 1_000;
const endPatienceMs = 10_000;

/** Everything a node is under one incarnation: made together, ended together. */
export class Life {
  readonly incarnation: string;
  readonly clock: DatabaseClock;
  readonly commits: GroupCommit;
  readonly pool: Pool;
  readonly directory: TaskDirectory;
  readonly backlog: Backlog;
  readonly workers: WorkerRegistry;
  readonly lease: NodeLease;
  readonly post: Post;
  readonly watches: Watches;
  readonly pipelines: PipelineBook;
  readonly sizes: RootSizes;
  readonly #options: LifeOptions;
  readonly #rounds: Rounds;
  readonly #deadlines: Deadlines;
  readonly #readyHints = new Map<string, Hint>();
  #isOver = false;
  #isMailHintDue = false;

  constructor(options: LifeOptions) {
    const { store, entropy, log, meters } = options;
    const node = entropy.id();
    const clock = new DatabaseClock(options.clock);
    this.#options = options;
    this.incarnation = node;
    this.clock = clock;
    this.commits = new GroupCommit({
      store: store.commits,
      clock,
      entropy,
      log,
      meters,
      node,
      lanes: options.lanes,
    });
    this.pool = new Pool(clock);
    this.#deadlines = new Deadlines(clock);
    const assignments = new Assignments({
      pool: this.pool,
      journal: store.journal,
      log,
      clock,
      undelivered: (attempt) => this.workers.undelivered(attempt),
    });
    this.watches = new Watches({ node, store, clock, log, audience: options.audience });
    const repairs = new Repairs({
      journal: store.journal,
      log,
      mended: (row) => this.#resume(row),
    });
    this.directory = new TaskDirectory({
      node,
      clock,
      entropy,
      log,
      meters,
      commits: this.commits,
      pool: this.pool,
      deadlines: this.#deadlines,
      audience: options.audience,
      perform: (draft) => assignments.perform(draft),
      timerSet: (inMs) => this.#rounds.timers.expect(inMs),
      queued: (head) => this.#hintReady(head),
      announce: (task) => {
        if (this.lease.nodeCount > 1) this.watches.announce(task);
      },
      mailWritten: () => this.#hintMail(),
      unreadable: (row) => repairs.mend(row),
      release: (task) => this.#release([task]),
      reroute: (task, message) => this.post.reroute(task, message),
      fenced: () => this.#die(),
    });
    this.backlog = new Backlog({
      node,
      queue: store.queue,
      pool: this.pool,
      clock,
      log,
      meters,
      takeIn: (row) => this.directory.takeIn(row),
      isHere: (task) => this.directory.get(task) !== undefined,
      assign: (actor, worker) => this.directory.assign(actor, worker),
      takeUp: (actor, worker) => this.directory.takeUp(actor, worker),
      release: (actors) => this.#release(actors.map(({ identity }) => identity.id)),
    });
    this.directory.connect(this.backlog);
    this.pipelines = new PipelineBook({ store: store.pipelines, pool: this.pool, clock });
    this.sizes = new RootSizes({ graphs: store.graphs, clock });
    const joins = new Joins({
      store,
      clock,
      entropy,
      log,
      preprocessing: options.preprocessing,
      pipelines: this.pipelines,
      sizes: this.sizes,
      resolved: ({ actor, letter }, resolution) =>
        this.directory.post(actor, { type: "resolve", letter, resolution }),
      release: (tasks) => this.#release(tasks),
      isOver: () => this.#isOver,
    });
    this.post = new Post({ node, store, log, entropy, directory: this.directory, joins });
    this.workers = new WorkerRegistry({
      node,
      store,
      clock,
      entropy,
      log,
      commits: this.commits,
      pool: this.pool,
      backlog: this.backlog,
      directory: this.directory,
      assignments,
      leaseMs: options.workerLeaseMs,
      heartbeatMs: options.heartbeatMs,
    });
    this.lease = new NodeLease({
      incarnation: node,
      process: options.process,
      nodes: store.nodes,
      clock,
      baseClock: options.clock,
      log,
      leaseMs: options.nodeLeaseMs,
      onLost: () => this.#die(),
      onDeadProcess: (process) => this.workers.ends.reapInstance(instanceOf(process)),
    });
    this.#rounds = createRounds({ ...options, clock, life: this });
  }

  async begin(): Promise<void> {
    await this.lease.enlist();
    this.#rounds.start();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  hear(hint: Hint): void {
    switch (hint.about) {
      case "ready":
        if (hint.node !== this.incarnation && this.pool.isServedAnyVersion(hint)) {
          this.backlog.noteUnknown();
        }
        return;
      case "mail":
        this.#rounds.mail.nudge();
        return;
      case "watched":
        if (hint.node === this.incarnation) this.watches.look(hint.tasks);
    }
  }

  /**
   * Ends in order: nothing new is claimed, what is decided is committed, the lease is given back.
   *
   * A database that is away, or busy with what others asked of it, must not keep a process from
   * ending: what a round still waits for is found by another node, and what is not answered for by
   * then is sent again by its callers.
   */
  async end(): Promise<void> {
    const tooLong = Promise.withResolvers<void>();
    const stopWaiting = this.clock.after(endPatienceMs, tooLong.resolve);
    await Promise.race([this.#rounds.stop(), tooLong.promise]);
    this.backlog.close();
    await Promise.race([this.commits.quiet(), tooLong.promise]);
    stopWaiting();
    this.#isOver = true;
    this.watches.close();
    this.#deadlines.clearAll();
    await this.lease.resign().catch((error: unknown) => {
      this.#options.log.warn("node lease not given back; it will expire", { error });
    });
  }

  /** One hint a tick and definition, and none while this node is alone. */
  #hintReady({ namespace, definition }: Head): void {
    if (this.lease.nodeCount <= 1) return;
    if (this.#readyHints.size === 0) {
      this.clock.soon(() => {
        const hints = [...this.#readyHints.values()];
        this.#readyHints.clear();
        this.#options.store.hints.send(hints).catch((error: unknown) => {
          this.#options.log.warn("hint not sent; the poll will find it", { error });
        });
      });
    }
    this.#readyHints.set(`${namespace}\n${definition}`, {
      about: "ready",
      node: this.incarnation,
      namespace,
      definition,
    });
  }

  /** A task that could not be read goes on: its next turn writes the snapshot that was made for it. */
  #resume(row: TaskRow): void {
    if (this.#isOver) return;
    if (row.status === "ready") this.backlog.take(row);
    else this.directory.adopt(row);
    this.#rounds.mail.nudge();
    this.#rounds.timers.expect(0);
  }

  /** This node reads at once; those that own some of the addressees hear of it, too. */
  #hintMail(): void {
    this.#rounds.mail.nudge();
    if (this.lease.nodeCount <= 1 || this.#isMailHintDue) return;
    this.#isMailHintDue = true;
    this.clock.soon(() => {
      this.#isMailHintDue = false;
      this.#options.store.hints.send([{ about: "mail" }]).catch((error: unknown) => {
        this.#options.log.warn("hint not sent; the poll will find it", { error });
      });
    });
  }

  #die(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.log.error("node lost its lease; starting again", { node: this.incarnation });
    void this.#rounds.stop();
    this.backlog.close();
    this.watches.close();
    this.#deadlines.clearAll();
    this.directory.abandonAll();
    this.#options.onDeath();
  }

  #release(ids: readonly string[]): void {
    if (this.#isOver) return;
    for (const id of ids) this.directory.forget(id);
    this.#options.store.tasks.release(this.incarnation, ids).then(
      () => this.backlog.noteUnknown(),
      (error: unknown) => {
        // Still owned by a live node: no sweep frees them, so try until it works.
        this.#options.log.warn("release failed; tries on", { error });
        this.clock.after(releaseRetryMs, () => this.#release(ids));
      },
    );
  }
}

/** How an in-process worker names its process, so that its death is known with its node's. */
export function instanceOf({ host, pid, processStart }: ProcessIdentity): string {
  return `${host}:${pid}:${processStart}`;
}
