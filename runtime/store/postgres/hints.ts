import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../ports/log.ts";
import type { Hint, HintBus } from "../store.ts";
import type { Connections } from "./connections.ts";
import { hintsIn, payloadsOf } from "./hint-payloads.ts";
import { type Line, openLine } from "./line.ts";
import { storeErrorOf } from "./sql-state.ts";

/** Outside of commits: notifying takes a lock of the whole cluster until the transaction ends. */
const notify = "select pg_notify($1::text, $2::text)";

const reconnectMinMs = 100;
const reconnectMaxMs = 5_000;
/** Across a working server it takes a millisecond or two; the warning is worse late than wrong. */
const selfTestMs = 5_000;
const selfTest = "[]";

interface HintOptions {
  readonly url: string;
  readonly schema: string;
  readonly log: Log;
}

/** One channel a schema; one connection of this store listens while anybody does. */
export function createHintBus(
  { notices }: Connections,
  { url, schema, log }: HintOptions,
): HintBus & { close(): Promise<void> } {
  const listeners = new Set<(hint: Hint) => void>();
  let listening: Promise<void> | null = null;
  let line: Line | null = null;
  let isClosed = false;
  let hasHeard = false;

  function hear(payload: string): void {
    hasHeard = true;
    for (const hint of hintsIn(payload)) for (const listener of [...listeners]) listener(hint);
  }

  async function openListeningLine(): Promise<void> {
    const settings = { application_name: "kantoku listener" };
    const opened = await openLine({ url, schema, settings, onNotify: hear });
    try {
      await opened.send(`listen ${schema}`);
    } catch (error) {
      void opened.close();
      throw error;
    }
    if (isClosed) return opened.close();
    line = opened;
    // Only now: of one that is lost before it listens, whoever opens it hears, and opens another.
    opened.whenLost(() => void reopen());
  }

  /** What is missed meanwhile is found by polling. */
  async function reopen(): Promise<void> {
    for (let waitMs = reconnectMinMs; !isClosed; waitMs = Math.min(waitMs * 2, reconnectMaxMs)) {
      try {
        await sleep(waitMs, undefined, { ref: false });
        if (!isClosed) await openListeningLine();
        return;
      } catch (error) {
        log.warn("cannot listen for hints", { error });
      }
    }
  }

  /** A pooler in transaction mode takes LISTEN and swallows what is heard. */
  async function testOnce(): Promise<void> {
    await notices.ask(notify, [schema, selfTest]);
    await sleep(selfTestMs, undefined, { ref: false });
    if (hasHeard || isClosed || line?.isLost !== false) return;
    log.warn(
      "notifications do not arrive: connect to the database directly, not through a pooler",
      {
        consequence: "work of other nodes is found by polling only",
      },
    );
  }

  return {
    async send(hints) {
      await Promise.all(payloadsOf(hints).map((payload) => notices.ask(notify, [schema, payload])));
    },

    async listen(listener) {
      if (listening === null) {
        listening = openListeningLine();
        listening
          .then(testOnce)
          .catch((error: unknown) => log.warn("hints were not tested", { error }));
      }
      const opening = listening;
      try {
        await opening;
      } catch (error) {
        // Others that waited for it may have tried again already.
        if (listening === opening) listening = null;
        throw storeErrorOf(error);
      }
      // The same function may listen twice and close once.
      const own = (hint: Hint) => listener(hint);
      listeners.add(own);
      return {
        async close() {
          listeners.delete(own);
        },
      };
    },

    async close() {
      isClosed = true;
      listeners.clear();
      await listening?.catch(() => {});
      await line?.close();
    },
  };
}
