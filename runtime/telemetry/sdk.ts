import {
  context,
  diag,
  metrics,
  ProxyTracerProvider,
  propagation,
  trace,
} from "@opentelemetry/api";
import { systemClock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import { readTelemetrySettings } from "./settings.ts";
import { createTroubleLog } from "./trouble.ts";

export interface TelemetryOptions {
  /** What this process is called unless `OTEL_SERVICE_NAME` says otherwise. */
  readonly serviceName: string;
  readonly log: Log;
}

export interface Telemetry {
  /** Sends what has gathered, for at most 3 s. Safe to call twice. */
  stop(): Promise<void>;
}

const flushMs = 3_000;
const silent: Telemetry = { stop: async () => {} };

/**
 * Turns on OpenTelemetry's SDK for this process when `KANTOKU_OTLP_ENDPOINT` or the standard OTEL
 * variables ask for it, and otherwise loads nothing. Call it before a node starts, whose meters are
 * made then.
 * @throws Error for an endpoint that is no URL
 */
export async function startTelemetry({ serviceName, log }: TelemetryOptions): Promise<Telemetry> {
  const variables = readTelemetrySettings(process.env);
  if (variables === null) return silent;
  if (isRegistered()) {
    log.info("telemetry is left to the SDK that is registered already");
    return silent;
  }
  // Only now: it takes as long to load as all the rest.
  const { NodeSDK } = await import("@opentelemetry/sdk-node");
  const sdk = withVariables(variables, () => {
    const made = new NodeSDK(process.env["OTEL_SERVICE_NAME"] ? {} : { serviceName });
    reportTrouble(log);
    made.start();
    return made;
  });
  log.info("telemetry is on", { service: process.env["OTEL_SERVICE_NAME"] || serviceName });
  let stopped: Promise<void> | undefined;
  return {
    stop: () => {
      stopped ??= flush(sdk, log);
      return stopped;
    },
  };
}

/** By an instrumentation that was loaded before the program, say: two would send everything twice. */
function isRegistered(): boolean {
  const provider = trace.getTracerProvider();
  if (!(provider instanceof ProxyTracerProvider)) return true;
  return provider.getDelegateTracer("kantoku") !== undefined;
}

/** The SDK reads no other source, and processes started later must not inherit what is ours. */
function withVariables<Made>(variables: Readonly<Record<string, string>>, make: () => Made): Made {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  try {
    return make();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

async function flush(sdk: { shutdown(): Promise<void> }, log: Log): Promise<void> {
  const deadline = Promise.withResolvers<never>();
  const timer = setTimeout(() => deadline.reject(new Error("it took too long")), flushMs);
  try {
    await Promise.race([sdk.shutdown(), deadline.promise]);
  } catch (error) {
    log.warn("telemetry was not sent to its end", { error });
  } finally {
    clearTimeout(timer);
    // What comes from now on would gather and go nowhere.
    for (const api of [trace, metrics, context, propagation, diag]) api.disable();
  }
}

/** A collector out of reach must be seen, and must not hurt. */
function reportTrouble(log: Log): void {
  const tell = createTroubleLog(log, systemClock);
  const ignore = (): void => {};
  diag.setLogger(
    { error: tell, warn: tell, info: ignore, debug: ignore, verbose: ignore },
    { suppressOverrideMessage: true },
  );
}
