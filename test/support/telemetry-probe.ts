import {
  context,
  metrics as metricsApi,
  propagation,
  type SpanKind,
  trace,
} from "@opentelemetry/api";
import { metrics, NodeSDK, tracing } from "@opentelemetry/sdk-node";

/** A finished span, with its parent by name. */
interface SeenSpan {
  readonly name: string;
  readonly kind: SpanKind;
  readonly traceId: string;
  /** The parent's name; its id when the parent is none of these spans; null at the root. */
  readonly parent: string | null;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly error: string | null;
}

/** OpenTelemetry's SDK registered for this process, keeping all it is told; disposing unregisters it. */
export class TelemetryProbe implements AsyncDisposable {
  readonly #spans = new tracing.InMemorySpanExporter();
  readonly #reader = new Reader();
  readonly #sdk: NodeSDK;

  constructor() {
    this.#sdk = new NodeSDK({
      autoDetectResources: false,
      spanProcessors: [new tracing.SimpleSpanProcessor(this.#spans)],
      metricReaders: [this.#reader],
      logRecordProcessors: [],
    });
    this.#sdk.start();
  }

  get spans(): readonly SeenSpan[] {
    const finished = this.#spans.getFinishedSpans();
    const names = new Map(finished.map((span) => [span.spanContext().spanId, span.name]));
    return finished.map((span) => {
      const parent = span.parentSpanContext?.spanId;
      return {
        name: span.name,
        kind: span.kind,
        traceId: span.spanContext().traceId,
        parent: parent === undefined ? null : (names.get(parent) ?? parent),
        attributes: span.attributes,
        error: span.events.some(({ name }) => name === "exception")
          ? (span.status.message ?? "")
          : null,
      };
    });
  }

  span(name: string): SeenSpan {
    const found = this.spans.find((span) => span.name === name);
    if (found === undefined) throw new Error(`no span ${name} among ${this.names().join(", ")}`);
    return found;
  }

  /** In the order in which they ended. */
  names(): readonly string[] {
    return this.spans.map(({ name }) => name);
  }

  /** The values of a metric, each with its attributes; histograms give their counts. */
  async metric(name: string): Promise<readonly { value: number; attributes: object }[]> {
    const { resourceMetrics } = await this.#reader.collect();
    const found = resourceMetrics.scopeMetrics
      .flatMap((scope) => scope.metrics)
      .filter(({ descriptor }) => descriptor.name === name);
    return found.flatMap(({ dataPoints }) =>
      dataPoints.map(({ value, attributes }) => ({
        value: typeof value === "number" ? value : value.count,
        attributes,
      })),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sdk.shutdown();
    for (const api of [trace, metricsApi, context, propagation]) api.disable();
  }
}

/** Collects when asked. */
class Reader extends metrics.MetricReader {
  protected override async onForceFlush(): Promise<void> {}

  protected override async onShutdown(): Promise<void> {}
}
