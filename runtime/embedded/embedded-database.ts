import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../ports/log.ts";
import { findHome } from "./home.ts";
import { type JoinOptions, join } from "./join.ts";

export interface EmbeddedDatabaseOptions extends Omit<JoinOptions, "isReturn"> {
  /** Told why the server does not run, whenever it cannot be had again. */
  readonly log?: Log;
}

export interface EmbeddedDatabase {
  /** Of a superuser; it stays the same when the server crashes and comes back. */
  readonly url: string;
  /** Says that this process no longer uses the database; the last one's resolves when it has stopped. */
  leave(): Promise<void>;
}

const retryMinMs = 1_000;
const retryMaxMs = 30_000;
/** Another process started the server first, when the port of last time was taken. */
const movedMessage = "the embedded database has another port now; this process cannot follow";

/** Joins the PostgreSQL server that runs in a data folder, or starts it. */
export async function openEmbeddedDatabase(
  options: EmbeddedDatabaseOptions,
): Promise<EmbeddedDatabase> {
  const { log, dataDir } = options;
  let { membership, url } = await join({ ...options, isReturn: false });
  let leaving: Promise<void> | undefined;
  let returning: Promise<void> = Promise.resolve();
  const departure = new AbortController();
  returnWhenTurnedOut();
  return { url, leave: () => (leaving ??= leave()) };

  function returnWhenTurnedOut(): void {
    membership.unref();
    void membership.end.then((end) => {
      if (end === "left" || leaving !== undefined) return;
      if (end === "stopped") {
        const reason = membership.failure?.message;
        log?.error("the embedded database was stopped", { dataDir, reason });
      } else {
        returning = comeBack();
      }
    });
  }

  /**
   * A killed keeper leaves the server running; without one that knows us, nobody would stop it. One
   * that gave up leaves none, and the next may have better luck: a full disk does not stay full.
   */
  async function comeBack(): Promise<void> {
    let { failure } = membership;
    let hasFailed = false;
    for (let waitMs = retryMinMs; ; waitMs = Math.min(waitMs * 2, retryMaxMs)) {
      if (failure !== undefined) {
        hasFailed = true;
        const fields = { dataDir, reason: failure.message, retryInMs: waitMs };
        log?.error("the embedded database does not run; tries on", fields);
        await sleep(waitMs, undefined, { ref: false, signal: departure.signal }).catch(() => {});
      }
      try {
        if (leaving !== undefined || isDeleted()) return;
        const joined = await join({ ...options, isReturn: true });
        membership = joined.membership;
        returnWhenTurnedOut();
        if (hasFailed) log?.info("the embedded database runs again", { dataDir });
        if (joined.url !== url) log?.error(movedMessage, { dataDir });
        return;
      } catch (error) {
        failure = error instanceof Error ? error : new Error(String(error));
      }
    }
  }

  async function leave(): Promise<void> {
    departure.abort();
    await returning;
    while ((await membership.leave()) === "lost") {
      if (isDeleted()) return;
      ({ membership } = await join({ ...options, isReturn: true }));
    }
  }

  /** Whoever deletes the folder under a running server does not want another one made. */
  function isDeleted(): boolean {
    return findHome(dataDir) === undefined;
  }
}
