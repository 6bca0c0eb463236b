import { isKantokuError, type KantokuError } from "../errors.ts";
import { encodePayload } from "../values/payload.ts";

/** A task or step gave what JSON cannot carry, or too much of it; another attempt would too. */
class UnserialisableResult extends Error {
  readonly code: "unserialisable-result" | "too-large";
  readonly retryable = false;

  constructor(refusal: KantokuError) {
    super(refusal.message);
    this.name = "UnserialisableResult";
    this.code = refusal.code === "too-large" ? "too-large" : "unserialisable-result";
  }
}

/** @throws UnserialisableResult naming the path */
export function encodeOutcome(value: unknown, at: string): string {
  try {
    return encodePayload(value, { at });
  } catch (thrown) {
    throw toUnserialisable(thrown);
  }
}

/** What was thrown, unless it says that the value cannot be stored: then that, as the author's failure. */
export function toUnserialisable(thrown: unknown): Error {
  if (isKantokuError(thrown, "invalid-params") || isKantokuError(thrown, "too-large")) {
    return new UnserialisableResult(thrown);
  }
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
