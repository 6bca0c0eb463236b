import type { FailurePolicy } from "../../sdk/protocol/graph.ts";
import type { TaskError, TaskStatus } from "../../sdk/protocol/task.ts";
import type { JsonText } from "../store/rows.ts";

/** How a task ended that others wait for. */
export interface Outcome {
  readonly name: string;
  readonly id: string;
  readonly status: TaskStatus;
  readonly output: JsonText | null;
  /** Above zero beside no output: it was left out. */
  readonly outputBytes?: number | null;
  readonly error: JsonText | null;
  /** What its failure means for those others. */
  readonly onFailure: FailurePolicy;
}

/** What the ends of its dependencies mean for a task. */
export type Judgement =
  | { readonly kind: "go" }
  | { readonly kind: "skip"; readonly reason: string }
  | { readonly kind: "fail"; readonly error: TaskError };

/**
 * A failure that nobody allowed goes before a skip: of a branch that was not taken one hears less
 * than of one that broke.
 */
export function judge(outcomes: readonly Outcome[]): Judgement {
  const broken = outcomes.find((it) => isBroken(it) && it.onFailure === "fail");
  if (broken !== undefined) return { kind: "fail", error: dependencyFailed(broken) };
  const skipped = outcomes.find(({ status }) => status === "skipped");
  if (skipped !== undefined) return { kind: "skip", reason: `${skipped.name} was skipped` };
  return { kind: "go" };
}

/** What takes the place of a task's output in the inputs of others. */
export function outputOf(
  { status, output, error, onFailure }: Outcome,
  parse: (text: JsonText) => unknown = JSON.parse,
): unknown {
  if (status === "succeeded") return parse(output ?? "null");
  if (status === "skipped" || onFailure !== "continue") return null;
  return { error: JSON.parse(error ?? "null") as unknown };
}

export function isLeftOut({
  output,
  outputBytes = null,
}: Pick<Outcome, "output" | "outputBytes">): boolean {
  return output === null && outputBytes !== null;
}

function isBroken({ status }: Outcome): boolean {
  return status === "failed" || status === "cancelled";
}

/** The root cause stays in sight however long the chain is: it is passed on, not wrapped again. */
function dependencyFailed({ name, id, status, error }: Outcome): TaskError {
  const cause = error === null ? null : (JSON.parse(error) as TaskError);
  const isPassedOn = cause?.code === "dependency-failed";
  return {
    name: "DependencyError",
    code: "dependency-failed",
    message: isPassedOn ? cause.message : `${name} ${status}: ${cause?.message ?? status}`,
    retryable: false,
    data: isPassedOn ? cause.data : { task: id, name },
    ...(cause === null ? {} : { cause: isPassedOn ? (cause.cause ?? cause) : withoutStack(cause) }),
  };
}

function withoutStack({ stack: _, cause: __, ...error }: TaskError): TaskError {
  return error;
}
