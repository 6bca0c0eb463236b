import type { Clock } from "../ports/clock.ts";
import type { DatabaseClock } from "../ports/database-clock.ts";
import { isDead, type ProcessIdentity } from "../ports/host-process.ts";
import type { Log } from "../ports/log.ts";
import type { NodeStore } from "../store/store.ts";

const freeRows = 1_000;

export interface NodeLeaseOptions {
  readonly incarnation: string;
  readonly process: ProcessIdentity;
  readonly nodes: NodeStore;
  readonly clock: DatabaseClock;
  readonly baseClock: Clock;
  readonly log: Log;
  readonly leaseMs: number;
  /** The lease row is gone: this incarnation is dead. */
  onLost(): void;
  /** A process of this host was found dead, leases or not. */
  onDeadProcess(process: ProcessIdentity): Promise<void>;
}

/**
 * This node's lease, and the end of other nodes' leases.
 *
 * L1. Only the database's clock says whether a lease has ended.
 * L2. A node reaps only after a full lease of unbroken contact: else the first one back after an
 *     outage would reap its healthy peers.
 * L3. Deleting a lease row waits for commits that hold it; freeing its actors is a second statement.
 */
export class NodeLease {
  readonly #options: NodeLeaseOptions;
  #contactSince: number;
  #renewedAt: number;
  #isInTouch = true;
  /** Live nodes at the last renewal, this one included; at first, all that are not known to be dead. */
  nodeCount = 1;

  constructor(options: NodeLeaseOptions) {
    this.#options = options;
    this.#contactSince = options.clock.monotonic();
    this.#renewedAt = this.#contactSince;
  }

  /** For how long the contact with the database has been unbroken; 0 while a renewal is overdue. */
  get watchedMs(): number {
    return this.#isOverdue ? 0 : this.#options.clock.monotonic() - this.#contactSince;
  }

  /**
   * No error tells of a database, or of a process, that stands still. When the database has done so
   * for three quarters of a lease, peers that renew every quarter may have lost theirs by it.
   */
  get #isOverdue(): boolean {
    return this.#options.clock.monotonic() - this.#renewedAt > this.#options.leaseMs / 2;
  }

  /** Whether the last renewal was answered: a database that takes no writes still answers reads. */
  get isInTouch(): boolean {
    return this.#isInTouch;
  }

  async enlist(): Promise<void> {
    const { nodes, incarnation, leaseMs } = this.#options;
    const identity = { incarnation, ...this.#options.process };
    const askedAt = this.#options.baseClock.now();
    const { now } = await nodes.enlist(identity, leaseMs);
    this.#options.clock.correct(now, askedAt);
    await this.#meetOthers();
  }

  async renew(): Promise<void> {
    const { nodes, incarnation, leaseMs, log } = this.#options;
    const askedAt = this.#options.baseClock.now();
    try {
      const renewed = await nodes.renew(incarnation, leaseMs);
      if (renewed === null) return this.#options.onLost();
      this.#options.clock.correct(renewed.now, askedAt);
      this.nodeCount = renewed.nodes;
      const now = this.#options.clock.monotonic();
      if (this.#isOverdue) this.#contactSince = now;
      this.#renewedAt = now;
      this.#isInTouch = true;
    } catch (error) {
      this.#isInTouch = false;
      this.#contactSince = this.#options.clock.monotonic();
      log.warn("node lease not renewed", { node: incarnation, error });
    }
  }

  /** L2, L3. */
  async reap(): Promise<void> {
    const { nodes, leaseMs, log, incarnation, clock } = this.#options;
    const expired = await nodes.expired();
    // Whoever is among them has been out of touch itself.
    if (expired.includes(incarnation)) this.#contactSince = clock.monotonic();
    for (const node of this.watchedMs >= leaseMs ? expired : []) {
      log.warn("node reaped", { node });
      await nodes.remove(node);
    }
    await this.freeOrphans();
  }

  /** Actors whose owner has no lease row, whoever deleted it. */
  async freeOrphans(): Promise<void> {
    while ((await this.#options.nodes.free(freeRows)) > 0);
  }

  /** An incarnation of this very process that is known to be over; waits for its last commits. */
  async bury(incarnation: string): Promise<void> {
    await this.#options.nodes.remove(incarnation);
    await this.freeOrphans();
  }

  async resign(): Promise<void> {
    await this.bury(this.#options.incarnation);
  }

  /** Counts them; a crash that is certain need not wait for its lease: a restart works again at once. */
  async #meetOthers(): Promise<void> {
    const { nodes, incarnation, log } = this.#options;
    const listed = await nodes.list();
    const dead = listed.filter((node) => node.incarnation !== incarnation && isDead(node));
    this.nodeCount = listed.length - dead.length;
    for (const node of dead) {
      log.info("node of a dead process reaped", { node: node.incarnation, pid: node.pid });
      await nodes.remove(node.incarnation);
      await this.#options.onDeadProcess(node);
    }
    await this.freeOrphans();
  }
}
