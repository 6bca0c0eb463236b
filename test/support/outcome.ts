import { isKantokuError, type KantokuError } from "../../sdk/errors.ts";

/** The error that a call rejects with. */
export async function errorOf(answer: Promise<unknown>): Promise<KantokuError> {
  try {
    await answer;
  } catch (error) {
    if (isKantokuError(error)) return error;
    throw error;
  }
  throw new Error("the call did not reject");
}

/** Looks at a promise without waiting for it: undefined while it is pending. */
export function watch<T>(promise: Promise<T>): { value: T | undefined; error: unknown } {
  const seen: { value: T | undefined; error: unknown } = { value: undefined, error: undefined };
  promise.then(
    (value) => {
      seen.value = value;
    },
    (error: unknown) => {
      seen.error = error;
    },
  );
  return seen;
}
