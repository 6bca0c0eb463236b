import {
  type Attributes,
  type Context,
  context,
  type Span,
  type SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { TaskError } from "../protocol/task.ts";
import { toTaskError } from "../values/task-error.ts";

interface Opening {
  readonly tracer: Tracer;
  readonly name: string;
  readonly kind: SpanKind;
  readonly attributes: Attributes;
  readonly parent: Context;
}

/** Works under a span that is active meanwhile, and ends with the work, failed when that throws. */
export async function inSpan<Result>(
  work: (span: Span) => Promise<Result>,
  { tracer, name, kind, attributes, parent }: Opening,
): Promise<Result> {
  const span = tracer.startSpan(name, { kind, attributes }, parent);
  try {
    return await context.with(trace.setSpan(parent, span), () => work(span));
  } catch (thrown) {
    markFailed(span, toTaskError(thrown));
    throw thrown;
  } finally {
    span.end();
  }
}

/** With the error as it is stored: what an author throws may be huge, or have getters that throw. */
export function markFailed(span: Span, error: TaskError): void {
  span.recordException(error);
  span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
}
