import { type Context, context, type Span, SpanKind, type Tracer, trace } from "@opentelemetry/api";
import type { Assignment } from "../protocol/service.ts";
import type { TaskError } from "../protocol/task.ts";
import { inSpan, markFailed } from "./span.ts";
import { contextOf } from "./traceparent.ts";
import { liveTracer } from "./tracer.ts";

/** What became of an attempt's outcome; only a recorded one counts. */
export type Fate = "recorded" | "late" | "refused" | "dropped";

/** One attempt in its task's trace: the child of whoever submitted the task, wherever that was. */
export class AttemptSpan {
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #context: Context;
  readonly #definition: string;
  #isFailed = false;

  private constructor(tracer: Tracer, assignment: Assignment, worker: string) {
    const { task, attempt, definition } = assignment;
    // Never under what is active here: in process, that is whatever the commit happened to run under.
    const parent = contextOf(assignment.trace);
    this.#tracer = tracer;
    this.#definition = definition;
    this.#span = tracer.startSpan(
      `kantoku.attempt ${definition}`,
      {
        kind: SpanKind.CONSUMER,
        attributes: {
          "kantoku.task": task,
          "kantoku.attempt": attempt,
          "kantoku.definition": definition,
          "kantoku.worker": worker,
        },
      },
      parent,
    );
    this.#context = trace.setSpan(parent, this.#span);
  }

  /** Undefined while nobody traces. */
  static start(assignment: Assignment, worker: string): AttemptSpan | undefined {
    const tracer = liveTracer();
    return tracer && new AttemptSpan(tracer, assignment, worker);
  }

  /** Active while the work goes on, so that spans of the author's own are its children. */
  around<Result>(work: () => Result): Result {
    return context.with(this.#context, work);
  }

  step<Result>(
    work: () => Promise<Result>,
    { name, occurrence }: { name: string; occurrence: number },
  ): Promise<Result> {
    return inSpan(work, {
      tracer: this.#tracer,
      name: `kantoku.step ${name}`,
      kind: SpanKind.INTERNAL,
      attributes: { "kantoku.step": name, "kantoku.occurrence": occurrence },
      // Inside a span of the author's, unless the way here has lost what was active.
      parent: trace.getActiveSpan() ? context.active() : this.#context,
    });
  }

  /** From the first sending of the attempt's outcome to the answer. */
  report<Result>(work: () => Promise<Result>, verb: "complete" | "fail"): Promise<Result> {
    return inSpan(work, {
      tracer: this.#tracer,
      name: `kantoku.${verb} ${this.#definition}`,
      kind: SpanKind.CLIENT,
      attributes: {},
      parent: this.#context,
    });
  }

  fail(error: TaskError): void {
    this.#isFailed = true;
    markFailed(this.#span, error);
  }

  end(fate: Fate): void {
    const outcome = this.#isFailed ? "failed" : "succeeded";
    this.#span.setAttribute("kantoku.outcome", fate === "recorded" ? outcome : fate);
    this.#span.end();
  }
}
