import { SpanKind } from "@opentelemetry/api";
import { anonymousGraph } from "../../sdk/protocol/limits.ts";
import type { GraphSubmit, SubmitParams } from "../../sdk/protocol/service.ts";
import { traceSubmission } from "../../sdk/telemetry/submission-span.ts";
import { liveTracer } from "../../sdk/telemetry/tracer.ts";

/**
 * Serves a submission under a span between the caller's and the attempts': what was submitted by a
 * client that does not trace has a whole trace all the same.
 */
export function underServerSpan<
  Params extends SubmitParams | GraphSubmit,
  Answer extends { readonly id: string },
>(
  serve: (params: Params) => Promise<Answer>,
  { method, params }: { readonly method: string; readonly params: Params },
): Promise<Answer> {
  const tracer = liveTracer();
  if (tracer === undefined) return serve(params);
  const definition = "graph" in params ? anonymousGraph : params.definition;
  return traceSubmission(
    async (traced, submitted) => {
      const answer = await serve(traced);
      submitted(answer.id);
      return answer;
    },
    { tracer, name: `${method} ${definition}`, kind: SpanKind.SERVER, definition, options: params },
  );
}
