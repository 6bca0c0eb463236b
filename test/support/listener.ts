import type { Subscriber } from "../../sdk/protocol/service.ts";
import type { JournalEvent } from "../../sdk/protocol/task.ts";

/** A subscriber that remembers what came. */
export class Listener implements Subscriber {
  readonly events: (JournalEvent & { readonly task: string })[] = [];
  readonly progressed: unknown[] = [];
  readonly ends: string[] = [];

  get seqs(): readonly number[] {
    return this.events.map(({ seq }) => seq);
  }

  event(event: JournalEvent & { readonly task: string }): void {
    this.events.push(event);
  }

  progress({ progress }: { readonly progress: unknown }): void {
    this.progressed.push(progress);
  }

  end(reason: string): void {
    this.ends.push(reason);
  }
}
