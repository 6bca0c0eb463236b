import { SpanKind, trace } from "@opentelemetry/api";
import { describe, expect, test, vi } from "vitest";
import { createGateway } from "../../gateway/index.ts";
import { type Node, startNode } from "../../runtime/node.ts";
import { systemClock } from "../../runtime/ports/clock.ts";
import { silentLog } from "../../runtime/ports/log.ts";
import { silentMeters } from "../../runtime/ports/meters.ts";
import { createMemoryStore } from "../../runtime/store/memory/index.ts";
import { createMeters } from "../../runtime/telemetry/meters.ts";
import { startTelemetry } from "../../runtime/telemetry/sdk.ts";
import { readTelemetrySettings } from "../../runtime/telemetry/settings.ts";
import { createTroubleLog } from "../../runtime/telemetry/trouble.ts";
import { connect } from "../../sdk/client/connect.ts";
import { createClient } from "../../sdk/client/kantoku.ts";
import { task } from "../../sdk/definition.ts";
import { TerminalError } from "../../sdk/errors.ts";
import type { RunResult, Service } from "../../sdk/protocol/service.ts";
import { contextOf } from "../../sdk/telemetry/traceparent.ts";
import { liveTracer } from "../../sdk/telemetry/tracer.ts";
import { settle } from "../support/manual-clock.ts";
import { TelemetryProbe } from "../support/telemetry-probe.ts";
import { WorkerBench } from "../support/worker-bench.ts";

const author = () => trace.getTracer("author");

const order = task("order", {}, (_input, { step }) =>
  author().startActiveSpan("author's own", async (span) => {
    const paid = await step("charge", () => author().startActiveSpan("bank", (bank) => bank.end()));
    span.end();
    return paid;
  }),
);

const far = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };
const farTraceparent = `00-${far.traceId}-${far.spanId}-01`;

function startMemoryNode(): Promise<Node> {
  return startNode({ store: createMemoryStore({ clock: systemClock }), log: silentLog });
}

async function startClient() {
  const node = await startMemoryNode();
  return createClient(node.service("default"), { onClose: () => node.stop() });
}

describe("one trace", () => {
  test("holds a task from its submit to its completion, with the author's spans in their places", async () => {
    await using probe = new TelemetryProbe();
    const kantoku = await startClient();
    const worker = await kantoku.work([order], { name: "till" });
    const handle = await author().startActiveSpan("request", async (span) => {
      const submitted = await kantoku.submit(order(null));
      span.end();
      return submitted;
    });
    await handle.result();
    await worker.drain();
    await kantoku.close();

    const about = { "kantoku.definition": "order", "kantoku.task": handle.id };
    expect(probe.span("kantoku.submit order")).toMatchObject({
      parent: "request",
      kind: SpanKind.PRODUCER,
      attributes: about,
      error: null,
    });
    expect(probe.span("kantoku.attempt order")).toMatchObject({
      parent: "kantoku.submit order",
      kind: SpanKind.CONSUMER,
      attributes: {
        ...about,
        "kantoku.attempt": 1,
        "kantoku.worker": worker.id,
        "kantoku.outcome": "succeeded",
      },
    });
    expect(probe.span("author's own").parent).toBe("kantoku.attempt order");
    expect(probe.span("kantoku.step charge")).toMatchObject({
      parent: "author's own",
      attributes: { "kantoku.step": "charge", "kantoku.occurrence": 1 },
    });
    expect(probe.span("bank").parent).toBe("kantoku.step charge");
    expect(probe.span("kantoku.complete order")).toMatchObject({
      parent: "kantoku.attempt order",
      kind: SpanKind.CLIENT,
    });
    expect(new Set(probe.spans.map(({ traceId }) => traceId)).size).toBe(1);
  });

  test("goes through the gateway, to a worker of its own connection", async () => {
    await using probe = new TelemetryProbe();
    const node = await startMemoryNode();
    const gateway = await createGateway({ service: node.service, host: "127.0.0.1", port: 0 });
    const [caller, crew] = await Promise.all([
      connect(gateway.address.url),
      connect(gateway.address.url),
    ]);
    const worker = await crew.work([order]);
    await caller.run(order(null));
    await worker.drain();
    for (const client of [caller, crew]) await client.close();
    await gateway.close();
    await node.stop();

    expect(probe.span("kantoku.run order")).toMatchObject({
      parent: null,
      attributes: { "kantoku.task": expect.any(String) },
    });
    expect(probe.span("task.run order")).toMatchObject({
      parent: "kantoku.run order",
      kind: SpanKind.SERVER,
    });
    expect(probe.span("kantoku.attempt order").parent).toBe("task.run order");
    expect(new Set(probe.spans.map(({ traceId }) => traceId)).size).toBe(1);
  });

  test("has every attempt under the submit, the failed ones with their errors", async () => {
    await using probe = new TelemetryProbe();
    const kantoku = await startClient();
    const flaky = task("flaky", { retry: { maxAttempts: 3, min: 0 } }, (_input, { attempt }) => {
      if (attempt === 1) throw new Error("the line is busy");
      throw new TerminalError("nobody lives here");
    });
    const worker = await kantoku.work([flaky]);
    await expect(kantoku.run(flaky(null))).rejects.toMatchObject({ code: "task-failed" });
    await worker.drain();
    await kantoku.close();

    const attempts = probe.spans.filter(({ name }) => name === "kantoku.attempt flaky");
    expect(attempts).toMatchObject([
      { error: "the line is busy", attributes: { "kantoku.attempt": 1 } },
      { error: "nobody lives here", attributes: { "kantoku.attempt": 2 } },
    ]);
    for (const { parent, attributes } of attempts) {
      expect(parent).toBe("kantoku.run flaky");
      expect(attributes["kantoku.outcome"]).toBe("failed");
    }
    expect(probe.names().filter((name) => name === "kantoku.fail flaky")).toHaveLength(2);
    expect(probe.span("kantoku.run flaky").error).toMatch(/nobody lives here$/);
  });

  test("goes on from the traceparent that the caller gave", async () => {
    await using probe = new TelemetryProbe();
    const { kantoku, sent } = clientBeforeFakeService();
    await kantoku.submit(order(null), { trace: farTraceparent });
    const span = probe.span("kantoku.submit order");
    expect(span).toMatchObject({ traceId: far.traceId, parent: far.spanId });
    expect(sent[0]?.trace).toMatch(new RegExp(`^00-${far.traceId}-[0-9a-f]{16}-01$`));
    expect(sent[0]?.trace).not.toBe(farTraceparent);
  });
});

describe("an attempt's span", () => {
  test("is a root where the submit was not traced, or said so wrongly", async () => {
    await using probe = new TelemetryProbe();
    const bench = await serveHello();
    await author().startActiveSpan("whatever is active at the commit", async (span) => {
      bench.assign("hello");
      for (const trace of ["", "00-x", `00-${"0".repeat(32)}-${far.spanId}-01`]) {
        bench.assign("hello", { trace });
      }
      span.end();
    });
    await bench.idle(4);
    const attempts = probe.spans.filter(({ name }) => name === "kantoku.attempt hello");
    expect(attempts.map(({ parent }) => parent)).toEqual([null, null, null, null]);
  });

  test("is not recorded where the submit's was not sampled", async () => {
    await using probe = new TelemetryProbe();
    const bench = await serveHello();
    bench.assign("hello", { trace: `00-${far.traceId}-${far.spanId}-00` });
    await bench.idle(1);
    expect(probe.names()).toEqual([]);
  });

  test("says when its outcome came too late, or was not wanted any more", async () => {
    await using probe = new TelemetryProbe();
    const bench = await serveHello();
    bench.answers.complete = () => ({ answer: "late" });
    bench.assign("hello", { trace: farTraceparent });
    await bench.idle(1);
    const gate = Promise.withResolvers<void>();
    const slow = await serveHello(() => gate.promise);
    slow.assign("hello");
    await slow.worker.close();
    gate.resolve();
    await settle();
    expect(slow.reports).toMatchObject([{ kind: "refuse" }]);
    const attempts = probe.spans.filter(({ name }) => name === "kantoku.attempt hello");
    expect(attempts).toMatchObject([
      { parent: far.spanId, attributes: { "kantoku.outcome": "late" } },
      { parent: null, attributes: { "kantoku.outcome": "dropped" }, error: null },
    ]);
  });
});

describe("without an SDK", () => {
  test("nothing is traced, and only the caller's own traceparent is sent", async () => {
    expect(liveTracer()).toBeUndefined();
    const { kantoku, sent } = clientBeforeFakeService();
    await kantoku.submit(order(null));
    await kantoku.run(order(null));
    await kantoku.submit(order(null), { trace: farTraceparent });
    expect(sent.map(({ trace }) => trace)).toEqual([undefined, undefined, farTraceparent]);
    expect(Object.keys(sent[0] ?? {})).toEqual(["definition", "idempotencyKey", "input"]);
  });

  test("nothing is measured", () => {
    expect(createMeters()).toBe(silentMeters);
  });

  test("tracing begins with the first call after one is registered, and ends with it", async () => {
    const { kantoku, sent } = clientBeforeFakeService();
    {
      await using probe = new TelemetryProbe();
      await kantoku.submit(order(null));
      expect(probe.names()).toEqual(["kantoku.submit order"]);
    }
    await kantoku.submit(order(null));
    expect(sent.map(({ trace }) => typeof trace)).toEqual(["string", "undefined"]);
  });
});

test("a node's metrics count what it did and show what it holds", async () => {
  await using probe = new TelemetryProbe();
  const kantoku = await startClient();
  const gate = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const wait = task("wait", {}, async () => {
    started.resolve();
    await gate.promise;
  });
  const fail = task("fail", {}, () => {
    throw new TerminalError("no");
  });
  await kantoku.work([wait, fail]);
  const waiting = await kantoku.submit(wait(null));
  await started.promise;
  await expect(kantoku.run(fail(null))).rejects.toThrow();
  const events = waiting.events();
  await events.next();

  const of = (definition: string, rest: object) => ({ "kantoku.definition": definition, ...rest });
  expect(await probe.metric("kantoku.tasks.submitted")).toEqual([
    { value: 1, attributes: of("wait", {}) },
    { value: 1, attributes: of("fail", {}) },
  ]);
  expect(await probe.metric("kantoku.tasks.ended")).toEqual([
    { value: 1, attributes: of("fail", { "kantoku.status": "failed" }) },
  ]);
  expect(await probe.metric("kantoku.attempts.ended")).toEqual([
    { value: 1, attributes: of("fail", { "kantoku.outcome": "failed" }) },
  ]);
  const gauges = ["attempts.running", "workers.connected", "subscriptions.live", "turns.gathered"];
  const readings = gauges.map(async (name) => (await probe.metric(`kantoku.${name}`))[0]?.value);
  expect(await Promise.all(readings)).toEqual([1, 1, 1, 0]);

  gate.resolve();
  await waiting.result();
  expect(await probe.metric("kantoku.attempts.running")).toMatchObject([{ value: 0 }]);
  await kantoku.close();
  expect(await probe.metric("kantoku.attempts.ended")).toContainEqual({
    value: 1,
    attributes: of("wait", { "kantoku.outcome": "succeeded" }),
  });
  const [commits] = await probe.metric("kantoku.commits");
  expect(commits?.attributes).toEqual({ "kantoku.outcome": "committed" });
  for (const name of ["kantoku.commit.turns", "kantoku.commit.duration"]) {
    expect(await probe.metric(name)).toMatchObject([{ value: commits?.value }]);
  }
});

describe("the environment asks for telemetry", () => {
  const common = { OTEL_LOGS_EXPORTER: "none", OTEL_EXPORTER_OTLP_TIMEOUT: "3000" };

  test.each([
    [{}, null],
    [{ KANTOKU_OTLP_ENDPOINT: "" }, null],
    [{ OTEL_SERVICE_NAME: "x" }, null],
    [{ OTEL_TRACES_EXPORTER: "console", OTEL_SDK_DISABLED: "TRUE" }, null],
    [{ OTEL_TRACES_EXPORTER: "console" }, common],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: "http://b:1", OTEL_LOGS_EXPORTER: "otlp" },
      { OTEL_EXPORTER_OTLP_TIMEOUT: "3000" },
    ],
    [
      { KANTOKU_OTLP_ENDPOINT: "http://a:1", OTEL_EXPORTER_OTLP_ENDPOINT: "http://b:1" },
      { ...common, OTEL_EXPORTER_OTLP_ENDPOINT: "http://a:1" },
    ],
  ])("%j", (env, variables) => {
    expect(readTelemetrySettings(env)).toEqual(variables);
  });

  test("and says which variable is wrong", () => {
    expect(() => readTelemetrySettings({ KANTOKU_OTLP_ENDPOINT: "localhost:4318" })).toThrow(
      /^KANTOKU_OTLP_ENDPOINT must be a URL/,
    );
  });
});

test("an SDK that the program registered itself is left alone", async () => {
  await using _probe = new TelemetryProbe();
  vi.stubEnv("OTEL_TRACES_EXPORTER", "none");
  const said: string[] = [];
  const log = { ...silentLog, info: (message: string) => void said.push(message) };
  const telemetry = await startTelemetry({ serviceName: "test", log });
  vi.unstubAllEnvs();
  await telemetry.stop();
  expect(said).toEqual(["telemetry is left to the SDK that is registered already"]);
  expect(liveTracer()).toBeDefined();
});

test("a traceparent of a later version is read as far as it is known", () => {
  const span = trace.getSpanContext(contextOf(`01-${far.traceId}-${far.spanId}-03-more`));
  expect(span).toEqual({ ...far, traceFlags: 1, isRemote: true });
});

function clientBeforeFakeService() {
  const sent: Parameters<Service["submit"]>[0][] = [];
  const note = (params: Parameters<Service["submit"]>[0]): RunResult => {
    sent.push(params);
    return { id: "t", status: "succeeded", output: null };
  };
  const service: Partial<Service> = {
    submit: async (params) => ({ ...note(params), created: true }),
    run: async (params) => note(params),
  };
  return { kantoku: createClient(service as Service), sent };
}

async function serveHello(body: () => unknown = () => "hello") {
  const bench = new WorkerBench();
  const worker = await bench.serve([task("hello", {}, body)]);
  return Object.assign(bench, {
    worker,
    /** Resolves when so many attempts were reported and nothing is under way. */
    idle: async (reports: number) => {
      await worker.drain();
      expect(bench.reports).toHaveLength(reports);
    },
  });
}

test("a collector that stays away is told of at once, and then once a minute", () => {
  let now = 0;
  const warn = vi.fn();
  const tell = createTroubleLog({ ...silentLog, warn }, { monotonic: () => now });
  for (; now < 180_000; now += 1_000) tell("connection refused");
  expect(warn.mock.calls.map(([, fields]) => fields)).toEqual([
    { reason: "connection refused" },
    { reason: "connection refused", untold: 59 },
    { reason: "connection refused", untold: 59 },
  ]);
});
