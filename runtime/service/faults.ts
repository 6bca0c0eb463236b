import { isKantokuError, KantokuError } from "../../sdk/errors.ts";
import { isStoreError } from "../store/store.ts";

/** What callers hear of the store's troubles: come again, or our fault. */
function toCallerError(error: unknown): KantokuError {
  if (isKantokuError(error)) return error;
  if (isStoreError(error) && error.fault !== "refused") {
    return new KantokuError("busy", "the database does not answer right now", {
      data: { retryAfterMs: 500 },
      cause: error,
    });
  }
  return new KantokuError("internal", "internal error", { cause: error });
}

/** Runs a read of the store; its faults become callers' errors. */
export async function reading<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw toCallerError(error);
  }
}

/** Said to nobody: the listener has gone. */
export function abandoned(): KantokuError {
  return new KantokuError("deadline-exceeded", "nobody waits for this answer any more");
}

/** A member of what was sent is wrong; which one, the data say, too. */
export function invalid(path: string, message: string): KantokuError {
  return new KantokuError("invalid-params", `${path} ${message}`, { data: { path } });
}

export function busy(message: string, retryAfterMs: number): KantokuError {
  return new KantokuError("busy", message, { data: { retryAfterMs } });
}
