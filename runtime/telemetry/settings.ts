type Environment = Readonly<Record<string, string | undefined>>;

const standardSwitches = [
  "OTEL_EXPORTER_OTLP_ENDPOINT",
  "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
  "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
  "OTEL_TRACES_EXPORTER",
  "OTEL_METRICS_EXPORTER",
];

/**
 * The variables that the SDK is to find beside those that are set; null when nobody asked for
 * telemetry.
 * @throws Error for an endpoint that is no URL
 */
export function readTelemetrySettings(env: Environment): Record<string, string> | null {
  const endpoint = env["KANTOKU_OTLP_ENDPOINT"];
  const isAsked = Boolean(endpoint) || standardSwitches.some((name) => env[name]);
  if (!isAsked || env["OTEL_SDK_DISABLED"]?.toLowerCase() === "true") return null;
  return {
    ...(endpoint && { OTEL_EXPORTER_OTLP_ENDPOINT: checkEndpoint(endpoint) }),
    // Log lines go to standard error and nowhere else.
    ...(!env["OTEL_LOGS_EXPORTER"] && { OTEL_LOGS_EXPORTER: "none" }),
    // The usual 10 s would hold up the end of a process whose collector is gone.
    ...(!env["OTEL_EXPORTER_OTLP_TIMEOUT"] && { OTEL_EXPORTER_OTLP_TIMEOUT: "3000" }),
  };
}

function checkEndpoint(endpoint: string): string {
  if (/^https?:$/.test(URL.parse(endpoint)?.protocol ?? "")) return endpoint;
  throw new Error(
    `KANTOKU_OTLP_ENDPOINT must be a URL like http://127.0.0.1:4318, not ${JSON.stringify(endpoint)}`,
  );
}
