import type { Bounds } from "./bounds.ts";
import type { Outbox } from "./outbox.ts";
import { Subscriptions } from "./subscriptions.ts";
import { WorkerLinks } from "./worker-links.ts";

/** What a peer may be sent unasked. */
export class Push {
  readonly outbox: Outbox;
  readonly subscriptions: Subscriptions;
  readonly workers: WorkerLinks;

  constructor(outbox: Outbox, bounds: Bounds) {
    this.outbox = outbox;
    this.subscriptions = new Subscriptions(outbox, bounds);
    this.workers = new WorkerLinks(outbox, bounds);
  }

  /** The peer is gone: nobody sends to it any more, and its workers count as out of reach. */
  close(): void {
    this.outbox.close();
    this.subscriptions.close();
    this.workers.close();
  }
}
