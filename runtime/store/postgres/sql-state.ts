import { isStoreError, StoreError, type StoreFault } from "../store.ts";
import { isOfServer, LineLost, type ServerError } from "./line.ts";

/** Class KT is ours: classes that begin with K are neither the standard's nor PostgreSQL's. */
export const ktFenced = "KT001";
export const ktStale = "KT002";
/** The batch row holds this id or a later one: nothing of the batch is to be written again. */
export const ktRepeated = "KT003";

/** Says of a statement that one before it failed. */
export const transactionAborted = "25P02";

const uniqueViolation = "23505";

/** By code, else by class. In all of them the transaction was rolled back, for sure. */
const faults: Readonly<Record<string, StoreFault>> = {
  [ktFenced]: "fenced",
  [ktStale]: "stale",

  "22": "refused", // data exception: NUL, not JSON, out of range
  "23": "refused", // integrity constraint violation
  "54": "refused", // program limit exceeded: an index row too large

  "40": "contended", // serialization failure, deadlock
  "55P03": "contended", // lock not available
  "57014": "contended", // cancelled: the statement's timeout
  "25P03": "contended", // idle in transaction for too long
  "0A000": "contended", // a cached plan outlived a migration; see fence.ts for what the driver does
  "26000": "contended", // a prepared statement that a pooler does not know; likewise

  "08": "unavailable", // connection exception
  "25006": "unavailable", // read-only: a standby, or a primary on its way there
  "28": "unavailable", // authorization
  "3D000": "unavailable", // no such database
  "53": "unavailable", // no room on the disk, in memory, for a connection
  "57": "unavailable", // shutting down, starting up
  "58": "unavailable", // system error
};

/** What else a server says is a bug or a missing right: to try again would not help. */
const otherwise: StoreFault = "refused";

export function faultOf({ code, constraint_name: constraint }: ServerError): StoreFault {
  // A seq that is taken: whoever wrote there has moved the actor on.
  if (code === uniqueViolation && constraint === "events_pkey") return "stale";
  return faults[code] ?? faults[code.slice(0, 2)] ?? otherwise;
}

/** For everything but commits, whose lost answers matter. */
export function storeErrorOf(error: unknown): StoreError {
  if (isStoreError(error)) return error;
  if (isOfServer(error)) {
    return new StoreError(faultOf(error), `${error.message} (${error.code})`, {
      cause: error,
    });
  }
  if (error instanceof LineLost) {
    return new StoreError("unavailable", "the database cannot be reached", { cause: error });
  }
  return new StoreError("refused", "the store failed unexpectedly", { cause: error });
}
