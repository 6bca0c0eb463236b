import type { KantokuError } from "../../sdk/errors.ts";
import type { Recorded } from "../../sdk/protocol/service.ts";
import type { TaskError } from "../../sdk/protocol/task.ts";
import type { Asked } from "../machines/task.events.ts";
import type { TimerKind } from "../machines/task.machine.ts";
import type { JsonText } from "../store/rows.ts";

/** Whoever waits for the turn that takes a message: told after its commit, once. */
export interface Caller<Answer> {
  answer(answer: Answer): void;
  fail(error: KantokuError): void;
}

export interface CancelAnswer {
  readonly accepted: boolean;
}

/** A reserved slot: this worker will run the definition's version under this token. */
export interface Placement {
  readonly worker: string;
  readonly version: string;
  readonly token: string;
}

/** What lies in a task's mailbox. Commands and reports; the turn makes events of them. */
export type TaskMessage =
  | {
      readonly type: "submit";
      readonly version: string;
      readonly startAt: number | null;
      readonly asked: Asked | null;
      readonly caller: Caller<{ created: boolean }>;
    }
  | { readonly type: "timer"; readonly kind: TimerKind }
  | ({ readonly type: "assign" } & Placement)
  | {
      readonly type: "complete";
      readonly token: string;
      readonly output: JsonText;
      readonly caller: Caller<Recorded>;
    }
  | {
      readonly type: "fail";
      readonly token: string;
      readonly error: TaskError;
      readonly caller: Caller<Recorded>;
    }
  | {
      readonly type: "refuse";
      readonly token: string;
      readonly reason: string;
      readonly caller: Caller<Recorded>;
    }
  | {
      readonly type: "lose";
      readonly token: string;
      readonly reason: string;
      readonly counts: boolean;
    }
  /** The attempt's deadline, kept in the owner's memory, has passed. */
  | { readonly type: "expire"; readonly token: string }
  /** The grace of a cancelled attempt has passed. */
  | { readonly type: "abandon"; readonly token: string }
  | {
      readonly type: "recordStep";
      readonly token: string;
      readonly step: string;
      readonly occurrence: number;
      readonly output?: unknown;
      readonly error?: TaskError;
      readonly caller: Caller<Recorded>;
    }
  | {
      readonly type: "cancel";
      readonly reason: string;
      readonly letter: string | null;
      readonly caller: Caller<CancelAnswer> | null;
    };

export function failCaller(message: TaskMessage, error: KantokuError): void {
  if ("caller" in message) message.caller?.fail(error);
}
