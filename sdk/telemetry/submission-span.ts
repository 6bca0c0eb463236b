import { context, type Span, type SpanKind, type Tracer } from "@opentelemetry/api";
import { inSpan } from "./span.ts";
import { contextOf, toTraceparent } from "./traceparent.ts";

/** Says which task it became. */
export type Submitted = (task: string) => void;

interface Submission<Options extends { readonly trace?: string }> {
  readonly tracer: Tracer;
  readonly name: string;
  /** `PRODUCER` where the task is asked for, `SERVER` where that is heard. */
  readonly kind: SpanKind;
  readonly definition: string;
  readonly options: Options;
}

/** Sends under a span that goes along in `trace`, so that the task's attempts are its children. */
export function traceSubmission<Options extends { readonly trace?: string }, Result>(
  send: (options: Options, submitted: Submitted) => Promise<Result>,
  { tracer, name, kind, definition, options }: Submission<Options>,
): Promise<Result> {
  const sendTraced = (span: Span): Promise<Result> => {
    const traceparent = toTraceparent(span);
    const traced = traceparent === undefined ? options : { ...options, trace: traceparent };
    return send(traced, (task) => span.setAttribute("kantoku.task", task));
  };
  return inSpan(sendTraced, {
    tracer,
    name,
    kind,
    attributes: { "kantoku.definition": definition },
    parent: options.trace === undefined ? context.active() : contextOf(options.trace),
  });
}
