import { KantokuError } from "../../sdk/errors.ts";
import { limits } from "../../sdk/protocol/limits.ts";
import type { TaskError } from "../../sdk/protocol/task.ts";
import { toLabel, toMessage } from "../../sdk/values/task-error.ts";

/** A preprocessor's fault: the end of the task that it was for. */
export class PreprocessorFailed extends Error {
  override readonly name = "PreprocessorFailed";
  readonly error: TaskError;

  constructor(error: TaskError) {
    super(error.message);
    this.error = error;
  }
}

/** Name and message may be the author's, who is free to throw what cannot be stored. */
export function preprocessorFailed(fault: {
  name: string;
  code: string;
  message: string;
}): PreprocessorFailed {
  const name = toLabel(fault.name);
  const message = toMessage(`in its preprocessor: ${fault.message}`);
  return new PreprocessorFailed({ name, code: fault.code, message, retryable: false });
}

export function preprocessorInputTooLarge(): PreprocessorFailed {
  const message = `input is more than ${limits.preprocessorInputBytesMax} bytes`;
  return preprocessorFailed({ name: "InputError", code: "preprocessor-memory", message });
}

/** What no other try would change; anything else is thrown again, for another try. */
export function faultOf(error: unknown): TaskError {
  if (error instanceof PreprocessorFailed) return error.error;
  if (error instanceof KantokuError) {
    const { message, code, data } = error;
    return { name: "KantokuError", code, message, retryable: false, data };
  }
  // More than this engine can hold: a text too long, a nesting too deep.
  if (!(error instanceof RangeError)) throw error;
  const { name, message } = error;
  return { name, code: "invalid-graph", message: `cannot be made: ${message}`, retryable: false };
}
