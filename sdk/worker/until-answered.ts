import { isKantokuError, KantokuError } from "../errors.ts";
import { retryInMs } from "../time/backoff.ts";
import { type Clock, wait } from "../time/clock.ts";

export interface Patience {
  readonly clock: Clock;
  readonly random: () => number;
  /** Aborts when nobody wants the answer any more. */
  readonly stopped: AbortSignal;
}

export type Answered<Answer> =
  | { readonly kind: "answered"; readonly answer: Answer }
  | { readonly kind: "refused"; readonly error: KantokuError }
  | { readonly kind: "stopped" };

/** Sends again, with jittered backoff, until there is an answer or a refusal that no repeat can change. */
export async function untilAnswered<Answer>(
  send: () => Promise<Answer>,
  { clock, random, stopped }: Patience,
): Promise<Answered<Answer>> {
  for (let failures = 0; !stopped.aborted; failures++) {
    try {
      return { kind: "answered", answer: await send() };
    } catch (thrown) {
      const error = toKantokuError(thrown);
      if (isFinal(error)) return { kind: "refused", error };
      await wait(clock, retryInMs(error, failures, random), stopped);
    }
  }
  return { kind: "stopped" };
}

// `internal` and `generic` say nothing about the call: an outcome is too precious to drop for them.
function isFinal(error: KantokuError): boolean {
  return !error.retryable && error.code !== "internal" && error.code !== "generic";
}

function toKantokuError(thrown: unknown): KantokuError {
  if (isKantokuError(thrown)) return thrown;
  return new KantokuError("internal", "the call failed", { cause: thrown });
}
