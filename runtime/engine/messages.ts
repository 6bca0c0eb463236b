import type { KantokuError } from "../../sdk/errors.ts";
import type { Recorded } from "../../sdk/protocol/service.ts";
import type { TaskError } from "../../sdk/protocol/task.ts";
import type { TimerKind } from "../machines/task.effects.ts";
import type { Asked, Composite, Preprocessed, RestartedTo } from "../machines/task.events.ts";
import type { JsonText, TaskIdentity } from "../store/rows.ts";

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

/** A task that is made by the turn of another one, in the same commit. */
export interface Child {
  readonly identity: TaskIdentity;
  readonly submit: Extract<TaskMessage, { type: "submit" }>;
}

/** How a task begins that has to do with others. */
export interface GraphBirth {
  /** Null: a worker does it. */
  readonly composite: Composite | null;
  readonly isBlocked: boolean;
  readonly dependsOn: readonly string[];
  readonly children: readonly Child[];
  /** It need not be done again: it ends as this task of an earlier tree did. */
  readonly reused?: Reused;
}

interface Reused {
  readonly of: string;
  readonly output: JsonText;
}

export type Resolution =
  | {
      readonly kind: "go";
      readonly input: JsonText;
      readonly preprocessed: readonly Preprocessed[];
      readonly startAt: number | null;
      /** Of a composite: what it is made of, and whose ends end it. */
      readonly children: readonly Child[];
      readonly dependsOn: readonly string[];
    }
  | { readonly kind: "skip"; readonly reason: string }
  | { readonly kind: "cancel"; readonly reason: string }
  | { readonly kind: "fail"; readonly error: TaskError }
  | {
      readonly kind: "succeed";
      readonly output: JsonText;
      readonly preprocessed?: readonly Preprocessed[];
    }
  /** It came too late to mean anything. */
  | { readonly kind: "none" };

/** What lies in a task's mailbox. Commands and reports; the turn makes events of them. */
export type TaskMessage =
  | {
      readonly type: "submit";
      readonly version: string;
      readonly startAt: number | null;
      readonly asked: Asked | null;
      readonly caller: Caller<{ created: boolean }> | null;
      /** Absent for a task that stands alone. */
      readonly birth?: GraphBirth;
    }
  | {
      /** What the ends of its dependencies mean for it: see Joins. */
      readonly type: "resolve";
      /** Null: the commit that takes it is the one that makes it true. */
      readonly letter: string | null;
      readonly resolution: Resolution;
    }
  /** Only ever sent together with those of all others that go on because of it: see Directory. */
  | { readonly type: "restart"; readonly to: RestartedTo }
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
