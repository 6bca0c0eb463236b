import type { Runnable } from "./graph/value.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

/** What a task's function is given beside its input. Its members may be destructured. */
export interface TaskContext {
  /** The task's id. */
  readonly task: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** Stable over all attempts of the task: hand it to whatever the task calls outside. */
  readonly idempotencyKey: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Aborts when the attempt is cancelled, overdue or taken away; then results no longer count. */
  readonly abortSignal: AbortSignal;
  readonly log: TaskLog;
  /** Shows how far the task is. Sent at most every 100 ms; the last value is kept. */
  readonly progress: (value: unknown) => void;
  /**
   * Runs `run` once: its outcome is journaled before this resolves, and later attempts get the
   * journaled one, matched by name and by the how-manieth use of the name it is. A crash between
   * the work and its record runs it again. Errors are journaled when they are not retryable. What
   * it resolves to has been through JSON: `undefined` has become `null`.
   */
  readonly step: <Output>(name: string, run: () => Output | Promise<Output>) => Promise<Output>;
  /**
   * Runs a call as a child of this task and awaits its output. An attempt that runs again finds the
   * child that an earlier one made. While the task awaits children it takes none of its worker's
   * slots. Cancelling the task cancels its children.
   */
  readonly run: <Output>(call: Runnable<Output>, options?: ChildOptions) => Promise<Output>;
  /** Submits a child without waiting for it; a task may end before its children do. */
  readonly submit: <Output>(
    call: Runnable<Output>,
    options?: ChildOptions,
  ) => Promise<ChildHandle<Output>>;
}

/** A child of a running task. */
export interface ChildHandle<Output = unknown> {
  readonly id: string;
  /** The child's output; throws as `run` does. */
  result(): Promise<Output>;
}

export interface ChildOptions {
  /**
   * What tells the child from its siblings, the same in every attempt; unless given, its definition
   * and the how-manieth of that definition it is.
   */
  readonly name?: string;
}

export type TaskLog = {
  readonly [Level in LogLevel]: (
    message: string,
    fields?: Readonly<Record<string, unknown>>,
  ) => void;
};

/** One line of a task's log. `at` is epoch milliseconds. */
export interface LogLine {
  readonly at: number;
  readonly level: LogLevel;
  readonly message: string;
  readonly task?: string;
  readonly attempt?: number;
  readonly definition?: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** Takes log lines. Must not throw and must not block. */
export type LogSink = (line: LogLine) => void;
