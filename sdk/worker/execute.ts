import type { TaskContext } from "../context.ts";
import type { KantokuError } from "../errors.ts";
import type { Recorded } from "../protocol/service.ts";
import type { TaskError } from "../protocol/task.ts";
import { parseWith, withIssues } from "../schema.ts";
import type { Fate } from "../telemetry/attempt-span.ts";
import { toTaskError } from "../values/task-error.ts";
import type { Attempt } from "./attempt.ts";
import { AttemptContext, type Surroundings } from "./context.ts";
import { encodeOutcome, toUnserialisable } from "./outcome.ts";
import { type Answered, untilAnswered } from "./until-answered.ts";

/** Runs an attempt's function and reports its outcome; resolves, never rejects, once that is answered. */
export function execute(
  attempt: Attempt,
  surroundings: Surroundings,
): Promise<KantokuError | undefined> {
  const { span } = attempt;
  if (span === undefined) return carryOut(attempt, surroundings);
  return span.around(() => carryOut(attempt, surroundings));
}

async function carryOut(
  attempt: Attempt,
  surroundings: Surroundings,
): Promise<KantokuError | undefined> {
  const context = new AttemptContext(attempt, surroundings);
  let report: Answered<Recorded>;
  try {
    const output = await produce(attempt, context);
    context.close();
    report = await complete(attempt, output, surroundings);
  } catch (thrown) {
    context.close();
    report = await fail(attempt, withIssues(toTaskError(thrown), thrown), surroundings);
  }
  attempt.span?.end(fateOf(report));
  return report.kind === "refused" ? report.error : undefined;
}

async function produce(attempt: Attempt, context: TaskContext): Promise<unknown> {
  const { definition, assignment } = attempt;
  const { input } = assignment;
  const given = definition.input
    ? await parseWith(definition.input, input, "invalid-input")
    : input;
  // The one place where the author's types are taken on trust: the schema, if any, has just spoken.
  const body = definition.body as (input: unknown, ctx: TaskContext) => unknown;
  const result = await body(given, context);
  const output = definition.output
    ? await parseWith(definition.output, result, "invalid-output")
    : result;
  if (output === undefined) return null;
  encodeOutcome(output, "result");
  return output;
}

async function complete(
  attempt: Attempt,
  output: unknown,
  surroundings: Surroundings,
): Promise<Answered<Recorded>> {
  if (attempt.isDropped) return { kind: "stopped" };
  const { token } = attempt.assignment;
  const completion = { token, output };
  const send = () => untilAnswered(() => surroundings.service.complete(completion), surroundings);
  const report = await (attempt.span === undefined
    ? send()
    : attempt.span.report(send, "complete"));
  if (report.kind !== "refused") return report;
  // The server's limits may be tighter than ours: then it is the result that is at fault.
  const fault = toUnserialisable(report.error);
  return fault === report.error ? report : await fail(attempt, toTaskError(fault), surroundings);
}

async function fail(
  attempt: Attempt,
  error: TaskError,
  surroundings: Surroundings,
): Promise<Answered<Recorded>> {
  if (attempt.isDropped) return { kind: "stopped" };
  const failure = { token: attempt.assignment.token, error };
  const send = () => untilAnswered(() => surroundings.service.fail(failure), surroundings);
  if (attempt.span === undefined) return await send();
  attempt.span.fail(error);
  return await attempt.span.report(send, "fail");
}

function fateOf(report: Answered<Recorded>): Fate {
  if (report.kind === "answered") return report.answer.answer;
  return report.kind === "refused" ? "refused" : "dropped";
}
