import { setTimeout as sleep } from "node:timers/promises";
import { type Call, isKantokuError, type Kantoku } from "../../../sdk/index.ts";
import { isOutputOf } from "./tasks.ts";

interface Entry {
  readonly key: string;
  readonly call: Call;
  /** Known once a submit was acknowledged. */
  id: string | null;
}

const patienceMs = 60_000;

/** What the client was promised: every submit that was acknowledged, by key. */
export class Ledger {
  readonly entries = new Map<string, Entry>();
  /** Retryable errors that reached the caller, by code. */
  readonly setbacks = new Map<string, number>();
  /** Whatever else went wrong on the client's side. */
  readonly violations: string[] = [];

  get acknowledged(): readonly Entry[] {
    return [...this.entries.values()].filter(({ id }) => id !== null);
  }

  /** Submits under the key until it is acknowledged. */
  async submit(kantoku: Kantoku, key: string, call: Call): Promise<void> {
    const entry = this.#entry(key, call);
    const id = await this.persist(
      async () => (await kantoku.submit(call, { idempotencyKey: key })).id,
    );
    if (id !== undefined) this.#acknowledge(entry, id);
  }

  /** Runs under the key and compares the output. */
  async run(kantoku: Kantoku, key: string, call: Call): Promise<void> {
    const entry = this.#entry(key, call);
    const output = await this.persist(() => kantoku.run(call, { idempotencyKey: key }));
    if (!isOutputOf(call, output)) this.violations.push(`${key} gave ${JSON.stringify(output)}`);
    const task = await this.persist(() => kantoku.get({ key }));
    if (task !== undefined) this.#acknowledge(entry, task.id);
  }

  /** Repeats while the error says that repeating is safe; any other error is a violation. */
  async persist<Result>(ask: () => Promise<Result>): Promise<Result | undefined> {
    for (const giveUpAt = Date.now() + patienceMs; ; ) {
      try {
        return await ask();
      } catch (error) {
        const isRetryable = isKantokuError(error) && error.retryable;
        if (!isRetryable || Date.now() > giveUpAt) {
          this.violations.push(String(error));
          return undefined;
        }
        this.setbacks.set(error.code, (this.setbacks.get(error.code) ?? 0) + 1);
        await sleep(Number(error.data["retryAfterMs"] ?? 50));
      }
    }
  }

  #entry(key: string, call: Call): Entry {
    const known = this.entries.get(key);
    if (known !== undefined) return known;
    const entry: Entry = { key, call, id: null };
    this.entries.set(key, entry);
    return entry;
  }

  #acknowledge(entry: Entry, id: string): void {
    if (entry.id !== null && entry.id !== id) {
      this.violations.push(`key ${entry.key} was task ${entry.id} and then task ${id}`);
    }
    entry.id = id;
  }
}
