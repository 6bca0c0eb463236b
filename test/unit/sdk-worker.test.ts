import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { TaskContext } from "../../sdk/context.ts";
import { type AnyDefinition, task } from "../../sdk/definition.ts";
import { KantokuError, TerminalError } from "../../sdk/errors.ts";
import { pipeline } from "../../sdk/graph/pipeline.ts";
import type { PipelineView } from "../../sdk/protocol/graph.ts";
import { deadlineSlackMs } from "../../sdk/worker/deadlines.ts";
import { settle } from "../support/manual-clock.ts";
import { WorkerBench } from "../support/worker-bench.ts";

/** A definition whose function waits until the test lets it go. */
function held(name = "held") {
  const gate = Promise.withResolvers<unknown>();
  const started = Promise.withResolvers<TaskContext>();
  const definition = task(name, {}, async (_input, ctx) => {
    started.resolve(ctx);
    return await gate.promise;
  });
  return { definition, gate, started };
}

function stepEvent(seq: number, data: Record<string, unknown>) {
  return { seq, type: "step.recorded", at: 0, data: { token: "old", ...data } };
}

async function benchWith(...definitions: AnyDefinition[]) {
  const bench = new WorkerBench();
  const worker = await bench.serve(definitions);
  return { bench, worker };
}

const busy = new KantokuError("busy", "try again");

describe("a worker registers", () => {
  test("with its definitions, in the protocol's units", async () => {
    const bench = new WorkerBench();
    const sized = task(
      "sized",
      {
        version: "2",
        input: z.object({ n: z.number() }),
        retry: { maxAttempts: 3, min: "1s", maxMs: 9 },
        timeout: "1m",
        attemptTimeout: 500,
      },
      ({ n }) => n,
    );
    const worker = await bench.serve([sized], { name: "w", slots: 3, labels: { zone: "a" } });
    expect(bench.registrations).toMatchObject([
      {
        name: "w",
        instance: "i1",
        slots: 3,
        labels: { zone: "a" },
        attempts: [],
        definitions: [
          {
            name: "sized",
            version: "2",
            retry: { maxAttempts: 3, minMs: 1000, maxMs: 9 },
            timeoutMs: 60_000,
            attemptTimeoutMs: 500,
            inputSchema: { type: "object" },
          },
        ],
      },
    ]);
    expect(worker.id).toBe("worker-1");
  });

  test("with ten slots unless told otherwise, and never two definitions of one name", async () => {
    const bench = new WorkerBench();
    const one = task("one", {}, () => 1);
    await bench.serve([one]);
    expect(bench.registrations[0]?.slots).toBe(10);
    await expect(bench.serve([one, one])).rejects.toMatchObject({ code: "invalid-definition" });
  });

  test.each([
    [
      [pipeline("whole", {}, () => task("part", {}, () => 1)())],
      "pipeline whole needs no worker; serve the tasks in it",
    ],
    [[task("one", {}, () => 1)()], "a worker serves what task() makes"],
    [task("one", {}, () => 1), "a worker serves a list of definitions"],
  ])("never with what is no definition: %#", async (given, message) => {
    const bench = new WorkerBench();
    await expect(bench.serve(given as never)).rejects.toMatchObject({
      code: "invalid-definition",
      message: expect.stringContaining(message),
    });
    expect(bench.registrations).toEqual([]);
  });
});

describe("an assignment", () => {
  test("runs the function with its input and context, and completes", async () => {
    const seen: unknown[] = [];
    const spy = task("spy", {}, (input, { task, attempt, idempotencyKey, labels, metadata }) => {
      seen.push({ input, task, attempt, idempotencyKey, labels, metadata });
      return { ok: true };
    });
    const { bench } = await benchWith(spy);
    bench.assign("spy", { input: { a: 1 }, attempt: 2, labels: { x: "y" } });
    expect(seen).toEqual([]);
    await settle();
    expect(seen).toEqual([
      {
        input: { a: 1 },
        task: "task-1",
        attempt: 2,
        idempotencyKey: "key-1",
        labels: { x: "y" },
        metadata: {},
      },
    ]);
    expect(bench.reports).toEqual([{ kind: "complete", token: "token-1", output: { ok: true } }]);
  });

  test("that comes twice runs once", async () => {
    const { definition, gate } = held();
    const { bench } = await benchWith(definition);
    const assignment = bench.assign("held");
    bench.port.assign(assignment);
    gate.resolve(1);
    await settle();
    expect(bench.reports).toHaveLength(1);
  });

  test("of an unknown definition or version is refused", async () => {
    const { bench } = await benchWith(task("known", { version: "1" }, () => 1));
    bench.assign("unknown");
    bench.assign("known", { version: "2" });
    expect(bench.reports).toEqual([
      { kind: "refuse", token: "token-1", reason: "unknown-definition" },
      { kind: "refuse", token: "token-2", reason: "unknown-definition" },
    ]);
  });

  test("goes to the definition of its version, or to the one that takes any", async () => {
    const { bench } = await benchWith(
      task("v", { version: "2" }, () => "two"),
      task("v", {}, () => "any"),
    );
    bench.assign("v", { version: "2" });
    bench.assign("v", { version: "7" });
    await settle();
    expect(bench.reports.map((report) => report.kind === "complete" && report.output)).toEqual([
      "two",
      "any",
    ]);
  });

  test("whose input the schema refuses fails for good, with the issues", async () => {
    let ran = false;
    const strict = task("strict", { input: v.object({ a: v.object({ n: v.number() }) }) }, () => {
      ran = true;
    });
    const { bench } = await benchWith(strict);
    bench.assign("strict", { input: { a: { n: "1" } } });
    await settle();
    expect(ran).toBe(false);
    expect(bench.reports).toMatchObject([
      {
        kind: "fail",
        error: {
          name: "SchemaMismatch",
          code: "invalid-input",
          retryable: false,
          data: { issues: [{ path: "a.n" }] },
        },
      },
    ]);
  });

  test("gets the schema's output as input, and gives the output schema's", async () => {
    const io = { input: z.coerce.number(), output: z.number().transform((n) => ({ n })) };
    const { bench } = await benchWith(task("io", io, (n) => n + 1));
    bench.assign("io", { input: "41" });
    await settle();
    expect(bench.reports).toMatchObject([{ kind: "complete", output: { n: 42 } }]);
  });

  test("whose output its schema refuses fails for good", async () => {
    const { bench } = await benchWith(
      task("o", { output: z.number() }, () => "x" as unknown as number),
    );
    bench.assign("o");
    await settle();
    expect(bench.reports).toMatchObject([
      { kind: "fail", error: { code: "invalid-output", retryable: false } },
    ]);
  });

  test.each<[unknown, string]>([
    [{ a: [1, new Map()] }, "result.a[1]"],
    [{ n: Number.NaN }, "result.n"],
    [() => 1, "result"],
    [1n, "result"],
  ])(
    "that gives what JSON cannot carry fails for good and names the path (%#)",
    async (output, path) => {
      const { bench } = await benchWith(task("bad", {}, () => output));
      bench.assign("bad");
      await settle();
      expect(bench.reports).toMatchObject([
        {
          kind: "fail",
          error: {
            code: "unserialisable-result",
            retryable: false,
            message: expect.stringContaining(`${path}:`),
          },
        },
      ]);
    },
  );

  test("that gives nothing completes with null", async () => {
    const { bench } = await benchWith(task("nothing", {}, () => undefined));
    bench.assign("nothing");
    await settle();
    expect(bench.reports).toEqual([{ kind: "complete", token: "token-1", output: null }]);
  });

  test.each([
    ["an error", new TypeError("oh"), { name: "TypeError", message: "oh" }],
    ["a terminal error", new TerminalError("no"), { message: "no", retryable: false }],
    ["null", null, { name: "NonError", message: "null" }],
  ])("that throws %s fails with it", async (_, thrown, error) => {
    const { bench } = await benchWith(
      task("throws", {}, () => {
        throw thrown;
      }),
    );
    bench.assign("throws");
    await settle();
    expect(bench.reports).toMatchObject([{ kind: "fail", error }]);
  });
});

describe("a report", () => {
  test("is sent again, ever later, until it is answered; the token is held meanwhile", async () => {
    const { bench } = await benchWith(task("done", {}, () => 1));
    bench.answers.complete = () => {
      throw busy;
    };
    bench.assign("done");
    await settle();
    expect(bench.reports).toHaveLength(1);
    await bench.clock.advance(3_000);
    const sent = bench.reports.length;
    expect(sent).toBeGreaterThan(3);
    expect(bench.beats).toEqual([["token-1"]]);
    bench.answers.complete = () => ({ answer: "recorded" });
    await bench.clock.advance(6_000);
    expect(bench.reports).toHaveLength(sent + 1);
    expect(bench.beats.at(-1)).toEqual([]);
  });

  test("waits for as long as the server asks", async () => {
    const { bench } = await benchWith(task("done", {}, () => 1));
    bench.answers.complete = () => {
      throw new KantokuError("busy", "later", { data: { retryAfterMs: 1_000 } });
    };
    bench.assign("done");
    await bench.clock.advance(999);
    expect(bench.reports).toHaveLength(1);
    await bench.clock.advance(100);
    expect(bench.reports).toHaveLength(2);
  });

  test("of an output that the server refuses becomes a failure", async () => {
    const { bench } = await benchWith(task("big", {}, () => "x"));
    bench.answers.complete = () => {
      throw new KantokuError("too-large", "result is too large");
    };
    bench.assign("big");
    await settle();
    expect(bench.reports.map(({ kind }) => kind)).toEqual(["complete", "fail"]);
    expect(bench.reports[1]).toMatchObject({ error: { code: "too-large", retryable: false } });
  });

  test("of an attempt that nobody knows is given up, with a line in the log", async () => {
    const { bench, worker } = await benchWith(task("done", {}, () => 1));
    bench.answers.complete = () => {
      throw new KantokuError("not-found", "no such attempt");
    };
    bench.assign("done");
    await settle();
    expect(bench.log).toMatchObject([{ level: "warn", fields: { token: "token-1" } }]);
    await worker.drain();
  });
});

describe("an attempt is aborted", () => {
  test("by a cancellation, and still reports how it ended", async () => {
    const stubborn = task("stubborn", {}, async (_input, { abortSignal }) => {
      await new Promise((_, reject) => {
        abortSignal.addEventListener("abort", () => reject(abortSignal.reason));
      });
    });
    const { bench } = await benchWith(stubborn);
    const { token } = bench.assign("stubborn");
    await settle();
    bench.port.cancel({ token: "someone-else's", reason: "cancelled", graceMs: 5 });
    bench.port.cancel({ token, reason: "cancelled", graceMs: 5 });
    await settle();
    expect(bench.reports).toMatchObject([{ kind: "fail", error: { code: "task-cancelled" } }]);
  });

  test("before its function looks at the signal", async () => {
    const { definition, started, gate } = held();
    const { bench } = await benchWith(definition);
    const { token } = bench.assign("held");
    bench.port.cancel({ token, reason: "timeout", graceMs: 0 });
    const { abortSignal } = await started.promise;
    expect(abortSignal.aborted).toBe(true);
    expect(abortSignal.reason).toMatchObject({ data: { reason: "timeout" } });
    gate.resolve(null);
  });

  test("at its deadline, with one timer for all and none for those without", async () => {
    const { definition, started, gate } = held();
    const { bench } = await benchWith(definition);
    const before = bench.clock.timerCount;
    bench.assign("held");
    expect(bench.clock.timerCount).toBe(before);
    bench.assign("held", { deadlineAt: bench.clock.now() + 2_000 });
    bench.assign("held", { deadlineAt: bench.clock.now() + 1_000 });
    expect(bench.clock.timerCount).toBe(before + 1);
    const { abortSignal } = await started.promise;
    await bench.clock.advance(2_000 + deadlineSlackMs);
    expect(abortSignal.aborted).toBe(false);
    expect(bench.clock.timerCount).toBe(before);
    gate.resolve(null);
  });

  test("each at its own deadline and the engine's lead, for that reason", async () => {
    const [soon, late] = [held("soon"), held("late")];
    const { bench } = await benchWith(soon.definition, late.definition);
    bench.assign("late", { deadlineAt: bench.clock.now() + 2_000 });
    bench.assign("soon", { deadlineAt: bench.clock.now() + 1_000 });
    const signals = [
      (await soon.started.promise).abortSignal,
      (await late.started.promise).abortSignal,
    ];
    const aborted = () => signals.map((signal) => signal.aborted);
    await bench.clock.advance(999 + deadlineSlackMs);
    expect(aborted()).toEqual([false, false]);
    await bench.clock.advance(1);
    expect(aborted()).toEqual([true, false]);
    await bench.clock.advance(1_000);
    expect(aborted()).toEqual([true, true]);
    expect(signals[1]?.reason).toMatchObject({ code: "deadline-exceeded" });
    for (const { gate } of [soon, late]) gate.resolve(null);
  });

  test("after the time that was left when it came, whatever the clocks say", async () => {
    const [ahead, behind] = [held("ahead"), held("behind")];
    const { bench } = await benchWith(ahead.definition, behind.definition);
    const now = bench.clock.now();
    bench.assign("ahead", { deadlineAt: now - 40_000, deadlineInMs: 1_000 });
    bench.assign("behind", { deadlineAt: now + 40_000, deadlineInMs: 1_000 });
    const signals = [
      (await ahead.started.promise).abortSignal,
      (await behind.started.promise).abortSignal,
    ];
    const aborted = () => signals.map((signal) => signal.aborted);
    await bench.clock.advance(999 + deadlineSlackMs);
    expect(aborted()).toEqual([false, false]);
    await bench.clock.advance(1);
    expect(aborted()).toEqual([true, true]);
    for (const { gate } of [ahead, behind]) gate.resolve(null);
  });

  test("when a heartbeat drops it: it is no longer held, and nothing is reported", async () => {
    const { definition, started, gate } = held();
    const { bench } = await benchWith(definition);
    const { token } = bench.assign("held");
    const { abortSignal } = await started.promise;
    bench.answers.heartbeat = () => ({ drop: [token] });
    await bench.clock.advance(3_000);
    expect(abortSignal.aborted).toBe(true);
    bench.answers.heartbeat = () => ({ drop: [] });
    await bench.clock.advance(3_000);
    expect(bench.beats).toEqual([[token], []]);
    gate.resolve(1);
    await settle();
    expect(bench.reports).toEqual([]);
  });
});

describe("a function that goes on after its attempt", () => {
  const message = "a function goes on though its attempt is over; it may heed ctx.abortSignal";

  test("is told of once, when it has had a heartbeat's time to stop", async () => {
    const { definition, gate } = held();
    const { bench } = await benchWith(definition);
    const { task, token } = bench.assign("held");
    bench.answers.heartbeat = () => ({ drop: [token] });
    await bench.clock.advance(3_000);
    expect(bench.log).toEqual([]);
    await bench.clock.advance(3_000);
    const told = { task, attempt: 1, definition: "held" };
    expect(bench.log).toMatchObject([{ level: "warn", message, fields: told }]);
    await bench.clock.advance(9_000);
    expect(bench.log).toHaveLength(1);
    gate.resolve(1);
  });

  test("but stops in time is not worth a word", async () => {
    const { definition, gate } = held();
    const { bench } = await benchWith(definition);
    const { token } = bench.assign("held");
    bench.answers.heartbeat = () => ({ drop: [token] });
    await bench.clock.advance(3_000);
    gate.resolve(1);
    await bench.clock.advance(9_000);
    expect(bench.log).toEqual([]);
  });

  test("is not one that has ended and whose report is only not answered yet", async () => {
    const { bench } = await benchWith(task("quick", {}, () => 1));
    bench.answers.complete = () => {
      throw busy;
    };
    const { token } = bench.assign("quick");
    bench.answers.heartbeat = () => ({ drop: [token] });
    await bench.clock.advance(9_000);
    expect(bench.reports.length).toBeGreaterThan(1);
    expect(bench.log).toEqual([]);
  });
});

describe("a lease that ran out", () => {
  test("makes the worker register again, with its id and what it holds", async () => {
    const { definition, started, gate } = held();
    const { bench } = await benchWith(definition);
    const { token } = bench.assign("held");
    const { abortSignal } = await started.promise;
    bench.answers.heartbeat = () => {
      throw new KantokuError("not-found", "no such worker");
    };
    bench.answers.registerWorker = () => ({ drop: [token] });
    await bench.clock.advance(3_000);
    expect(bench.registrations[1]).toMatchObject({
      worker: "worker-1",
      instance: "i1",
      attempts: [token],
    });
    expect(abortSignal.aborted).toBe(true);
    gate.resolve(1);
  });

  test("and whose name another process has taken since ends the worker", async () => {
    const { bench, worker } = await benchWith(held().definition);
    bench.answers.heartbeat = () => {
      throw new KantokuError("not-found", "no such worker");
    };
    bench.answers.registerWorker = () => {
      throw new KantokuError("conflict", "another process registered under this worker's name");
    };
    await bench.clock.advance(3_000);
    await expect(worker.ended).resolves.toBe("superseded");
    expect(bench.clock.timerCount).toBe(0);
    expect(bench.log).toMatchObject([{ level: "warn", fields: { worker: "worker-1" } }]);
  });
});

describe("ctx.step", () => {
  test("records each output before it gives it, by name and occurrence", async () => {
    const order: string[] = [];
    const steps = task("steps", {}, async (_input, { step }) => {
      const one = await step("a", () => ({ x: 1, gone: undefined }));
      order.push("after a");
      const two = await step("a", async () => 2);
      return [one, two, await step("b", () => undefined)];
    });
    const { bench } = await benchWith(steps);
    bench.answers.recordStep = () => {
      order.push("record");
      return { answer: "recorded" };
    };
    const { token } = bench.assign("steps");
    await settle();
    expect(bench.steps).toEqual([
      { token, step: "a", occurrence: 1, output: { x: 1 } },
      { token, step: "a", occurrence: 2, output: 2 },
      { token, step: "b", occurrence: 1, output: null },
    ]);
    expect(order.slice(0, 3)).toEqual(["record", "after a", "record"]);
    expect(bench.reports).toMatchObject([{ kind: "complete", output: [{ x: 1 }, 2, null] }]);
  });

  test("replays what the journal holds, errors too, and runs only the rest", async () => {
    const ran: string[] = [];
    const steps = task("steps", {}, async (_input, ctx) => {
      const run = (name: string) => ctx.step(name, () => ran.push(name));
      const failed = await run("b").catch((error: Error) => error.message);
      return [await run("a"), await run("a"), failed];
    });
    const { bench } = await benchWith(steps);
    bench.assign("steps", {
      journal: [
        stepEvent(2, { step: "a", occurrence: 1, output: "kept" }),
        { seq: 3, type: "task.readied", at: 0, data: {} },
        stepEvent(4, { step: "b", occurrence: 1, error: { name: "E", message: "declined" } }),
      ],
    });
    await settle();
    expect(ran).toEqual(["a"]);
    expect(bench.steps).toMatchObject([{ step: "a", occurrence: 2 }]);
    expect(bench.reports).toMatchObject([{ output: ["kept", 1, "declined"] }]);
  });

  test("reads the rest of a long journal once, page by page", async () => {
    const steps = task("steps", {}, (_input, { step }) =>
      Promise.all([step("a", () => "ran"), step("a", () => "ran"), step("a", () => "ran")]),
    );
    const { bench } = await benchWith(steps);
    const asked: unknown[] = [];
    bench.answers.events = async ({ after = 0, ...ref }) => {
      asked.push({ ...ref, after });
      if (after === 2)
        return { events: [stepEvent(3, { step: "a", occurrence: 2, output: 2 })], next: 3 };
      return { events: [stepEvent(4, { step: "a", occurrence: 3, output: 3 })] };
    };
    bench.assign("steps", {
      journal: [stepEvent(2, { step: "a", occurrence: 1, output: 1 })],
      journalNext: 2,
    });
    await settle();
    expect(asked).toEqual([
      { id: "task-1", after: 2 },
      { id: "task-1", after: 3 },
    ]);
    expect(bench.reports).toMatchObject([{ output: [1, 2, 3] }]);
  });

  test("records an error that no repeat can help, and lets others just pass", async () => {
    const steps = task("steps", {}, async (_input, { step }) => {
      await step("flaky", () => Promise.reject(new Error("again"))).catch(() => undefined);
      await step("final", () => Promise.reject(new TerminalError("never")));
    });
    const { bench } = await benchWith(steps);
    bench.assign("steps");
    await settle();
    expect(bench.steps).toMatchObject([
      { step: "final", occurrence: 1, error: { message: "never", retryable: false } },
    ]);
    expect(bench.reports).toMatchObject([{ kind: "fail", error: { message: "never" } }]);
  });

  test("fails for good over an output that JSON cannot carry, and names the path", async () => {
    const { bench } = await benchWith(
      task("steps", {}, (_input, { step }) => step("odd", () => ({ a: [new Date(0)] }))),
    );
    bench.assign("steps");
    await settle();
    expect(bench.reports).toMatchObject([
      {
        kind: "fail",
        error: {
          code: "unserialisable-result",
          retryable: false,
          message: expect.stringContaining("step(odd).a[0]"),
        },
      },
    ]);
  });

  test("that is recorded too late aborts the attempt, which reports nothing", async () => {
    const after: string[] = [];
    const steps = task("steps", {}, async (_input, { step, abortSignal }) => {
      await step("a", () => 1).catch(() => after.push(`aborted: ${abortSignal.aborted}`));
      await step("b", () => after.push("b ran"));
    });
    const { bench } = await benchWith(steps);
    bench.answers.recordStep = () => ({ answer: "late" });
    bench.assign("steps");
    await settle();
    expect(after).toEqual(["aborted: true"]);
    expect(bench.steps).toHaveLength(1);
    expect(bench.reports).toEqual([]);
  });

  test("refuses names that the protocol cannot carry", async () => {
    const { bench } = await benchWith(task("s", {}, (_input, { step }) => step("a b", () => 1)));
    bench.assign("s");
    await settle();
    const message = expect.stringMatching(/^"a b" is not a step's name: it must match /);
    expect(bench.reports).toMatchObject([
      { kind: "fail", error: { code: "invalid-params", message } },
    ]);
  });
});

describe("ctx.run", () => {
  const parent = task("parent", {}, (_input, ctx) => ctx.run({ definition: "child" }));

  test("waits on when the child's outcome is to come later, at every ask", async () => {
    const { bench } = await benchWith(parent);
    const results = [busy, "running", busy, busy, "succeeded"] as const;
    let asked = 0;
    bench.answers.result = async ({ ...ref }) => {
      expect(ref).toMatchObject({ id: "child" });
      const status = results[asked++];
      if (status === undefined || status instanceof Error) throw status;
      return { id: "child", status, ...(status === "succeeded" && { output: 7 }) };
    };
    bench.assign("parent");
    await bench.clock.advance(1_000);
    expect(asked).toBe(5);
    expect(bench.reports).toEqual([{ kind: "complete", token: "token-1", output: 7 }]);
  });

  test("registers a pipeline again until that is answered", async () => {
    const part = task("part", {}, () => 1);
    const whole = pipeline("whole", {}, () => part());
    const { bench } = await benchWith(task("parent", {}, (_input, ctx) => ctx.run(whole())));
    let tries = 0;
    bench.answers.registerPipeline = async ({ name }) => {
      tries += 1;
      if (tries < 3) throw busy;
      return { name, version: whole.version } as PipelineView;
    };
    bench.assign("parent");
    await bench.clock.advance(1_000);
    expect(tries).toBe(3);
    expect(bench.reports).toMatchObject([{ kind: "complete" }]);
  });

  test("fails its task for good where a pipeline's schema refuses what it is given", async () => {
    const part = task("part", {}, () => 1);
    const whole = pipeline("whole", { input: z.number() }, () => part());
    const wrong = "1" as unknown as number;
    const { bench } = await benchWith(task("parent", {}, (_input, ctx) => ctx.run(whole(wrong))));
    bench.answers.submit = () => Promise.reject(new Error("nobody expects a child"));
    bench.assign("parent");
    await settle();
    expect(bench.reports).toMatchObject([
      {
        kind: "fail",
        error: {
          name: "SchemaMismatch",
          code: "invalid-input",
          retryable: false,
          data: { issues: [{ path: "" }] },
        },
      },
    ]);
  });

  test("says again that it waits to whoever has taken it over", async () => {
    const { bench } = await benchWith(parent);
    const { promise, resolve } = Promise.withResolvers<void>();
    bench.answers.result = async () => {
      await promise;
      return { id: "child", status: "succeeded", output: 7 };
    };
    const said: string[] = [];
    bench.answers.suspend = async ({ token }) => {
      said.push(token);
      return { accepted: true };
    };
    bench.assign("parent");
    await settle();
    expect(said).toEqual(["token-1"]);
    const registered = { worker: "w", leaseMs: 10_000, heartbeatMs: 3_000, keep: [], drop: [] };
    bench.port.registeredAgain?.(registered);
    expect(said).toEqual(["token-1", "token-1"]);
    resolve();
    await settle();
    bench.port.registeredAgain?.(registered);
    expect(said).toHaveLength(2);
  });

  test("asks no more when its attempt is cancelled meanwhile", async () => {
    const { bench } = await benchWith(parent);
    let asked = 0;
    bench.answers.result = async () => {
      asked += 1;
      throw busy;
    };
    const { token } = bench.assign("parent");
    await settle();
    bench.port.cancel({ token, reason: "cancelled", graceMs: 5 });
    await settle();
    expect(bench.reports).toMatchObject([{ kind: "fail", error: { code: "task-cancelled" } }]);
    const before = asked;
    await bench.clock.advance(2_000);
    expect(asked).toBe(before);
  });
});

describe("what a function does not await", () => {
  const late = "attempt 1 of task task-1 had ended when its step was recorded";

  test("and comes too late is a line in the log, and ends no process", async () => {
    const gate = Promise.withResolvers<void>();
    const hasty = task("hasty", {}, (_input, ctx) => {
      void ctx.step("slow", () => gate.promise);
    });
    const { bench } = await benchWith(hasty);
    bench.answers.recordStep = () => ({ answer: "late" });
    bench.assign("hasty");
    await settle();
    expect(bench.reports).toMatchObject([{ kind: "complete" }]);
    gate.resolve();
    await settle();
    expect(bench.log).toMatchObject([
      { level: "warn", task: "task-1", definition: "hasty", fields: { reason: late } },
    ]);
  });

  test("and fails before the end is told at the end: a step, a child, a child's outcome", async () => {
    const fail = () => Promise.reject(new Error("no"));
    const careless = task("careless", {}, async (_input, ctx) => {
      void ctx.step("one", fail);
      void ctx.run({ definition: "child" });
      void (await ctx.submit({ definition: "child" })).result();
      await ctx.step("two", () => settle());
    });
    const { bench } = await benchWith(careless);
    bench.answers.result = async () => {
      throw new KantokuError("task-failed", "no");
    };
    bench.assign("careless");
    await settle();
    await settle();
    expect(bench.reports).toMatchObject([{ kind: "complete" }]);
    expect(bench.log).toHaveLength(3);
  });

  test("at once, but later, is told nowhere: that is the function's own affair", async () => {
    const patient = task("patient", { retry: { maxAttempts: 1 } }, async (_input, ctx) => {
      const one = ctx.step("one", () => Promise.reject(new Error("no")));
      await ctx.step("two", () => settle());
      await one;
    });
    const { bench } = await benchWith(patient);
    bench.assign("patient");
    await settle();
    await settle();
    expect(bench.reports).toMatchObject([{ kind: "fail", error: { message: "no" } }]);
    expect(bench.log).toEqual([]);
  });

  test("and ends with its attempt is told nowhere either", async () => {
    const cancelled = task("cancelled", {}, async (_input, ctx) => {
      void ctx.run({ definition: "child" });
      await new Promise((_, reject) => {
        ctx.abortSignal.addEventListener("abort", () => reject(ctx.abortSignal.reason));
      });
    });
    const { bench } = await benchWith(cancelled);
    bench.answers.result = () => new Promise(() => {});
    const { token } = bench.assign("cancelled");
    await settle();
    bench.port.cancel({ token, reason: "cancelled", graceMs: 5 });
    await settle();
    expect(bench.reports).toMatchObject([{ kind: "fail", error: { code: "task-cancelled" } }]);
    expect(bench.log).toEqual([]);
  });
});

describe("ctx.progress", () => {
  test("goes out at once, then at most every 100 ms, and the last value before the end", async () => {
    const { definition, started, gate } = held();
    const { bench } = await benchWith(definition);
    bench.assign("held");
    const { progress } = await started.promise;
    const moving = { n: 0 };
    for (moving.n = 1; moving.n <= 5; moving.n++) progress(moving);
    expect(bench.progress).toEqual([{ n: 1 }]);
    await bench.clock.advance(100);
    expect(bench.progress).toEqual([{ n: 1 }, { n: 5 }]);
    progress({ n: 7 });
    gate.resolve("done");
    await settle();
    expect(bench.progress).toEqual([{ n: 1 }, { n: 5 }, { n: 7 }]);
    await bench.clock.advance(1_000);
    expect(bench.progress).toHaveLength(3);
  });

  test("does not queue up while the server is away: one on its way, then the latest", async () => {
    const { definition, started, gate } = held();
    const { bench } = await benchWith(definition);
    const answers: PromiseWithResolvers<unknown>[] = [];
    bench.answers.progress = () => {
      const answer = Promise.withResolvers<unknown>();
      answers.push(answer);
      return answer.promise;
    };
    bench.assign("held");
    const { progress } = await started.promise;
    for (let n = 1; n <= 40; n++) {
      progress({ n });
      await bench.clock.advance(100);
    }
    expect(bench.progress).toEqual([{ n: 1 }]);
    answers[0]?.reject(busy);
    await settle();
    expect(bench.progress).toEqual([{ n: 1 }, { n: 40 }]);
    answers[1]?.resolve({});
    await bench.clock.advance(1_000);
    expect(bench.progress).toHaveLength(2);
    for (const n of [41, 42]) progress({ n });
    gate.resolve("done");
    await settle();
    expect(bench.progress.slice(2)).toEqual([{ n: 41 }, { n: 42 }]);
    expect(bench.reports).toMatchObject([{ kind: "complete" }]);
  });
});

describe("ctx.log", () => {
  test("writes structured lines that say whose they are", async () => {
    const { bench } = await benchWith(
      task("logs", {}, (_input, { log: { info, warn } }) => {
        info("begun");
        warn("odd", { count: 2 });
      }),
    );
    bench.assign("logs");
    await settle();
    const whose = { task: "task-1", attempt: 1, definition: "logs" };
    expect(bench.log).toMatchObject([
      { level: "info", message: "begun", ...whose },
      { level: "warn", message: "odd", fields: { count: 2 }, ...whose },
    ]);
  });
});

describe("a worker ends", () => {
  test("by draining: takes nothing more, finishes what runs, then closes", async () => {
    const { definition, gate } = held();
    const { bench, worker } = await benchWith(definition);
    bench.assign("held");
    let isDrained = false;
    const drained = Promise.all([worker.drain(), worker.drain()]).then(() => {
      isDrained = true;
    });
    await settle();
    expect(bench.drains).toBe(1);
    bench.assign("held");
    expect(bench.reports).toEqual([{ kind: "refuse", token: "token-2", reason: "draining" }]);
    await bench.clock.advance(3_000);
    expect(bench.beats).toEqual([["token-1"]]);
    expect(isDrained).toBe(false);
    gate.resolve("done");
    await drained;
    expect(bench.reports.at(-1)).toMatchObject({ kind: "complete", output: "done" });
    expect(bench.detachments).toBe(1);
    expect(bench.clock.timerCount).toBe(0);
    await expect(worker.ended).resolves.toBe("closed");
  });

  test("by closing: aborts what runs, gives it back, and says nothing more", async () => {
    const { definition, started, gate } = held();
    const { bench, worker } = await benchWith(definition);
    bench.assign("held", { deadlineAt: bench.clock.now() + 60_000 });
    const { abortSignal } = await started.promise;
    await worker.close();
    expect(abortSignal.aborted).toBe(true);
    gate.resolve("too late");
    await settle();
    expect(bench.drains).toBe(1);
    expect(bench.reports).toEqual([{ kind: "refuse", token: "token-1", reason: "closed" }]);
    expect(bench.detachments).toBe(1);
    expect(bench.clock.timerCount).toBe(0);
    bench.assign("held");
    expect(bench.reports).toHaveLength(1);
  });

  test("by closing in the middle of sending a report again", async () => {
    const { bench, worker } = await benchWith(task("done", {}, () => 1));
    bench.answers.complete = () => {
      throw busy;
    };
    bench.assign("done");
    await settle();
    await worker.close();
    await settle();
    expect(bench.clock.timerCount).toBe(0);
  });

  test("when another process takes its name, even while it drains", async () => {
    const { definition, started } = held();
    const { bench, worker } = await benchWith(definition);
    bench.assign("held");
    const { abortSignal } = await started.promise;
    const drained = worker.drain();
    await settle();
    bench.port.superseded();
    await drained;
    await expect(worker.ended).resolves.toBe("superseded");
    expect(abortSignal.aborted).toBe(true);
    bench.port.superseded();
    expect(bench.log).toMatchObject([
      {
        level: "warn",
        message: "another process has taken this worker's name, and this one serves no longer",
        fields: { worker: "worker-1" },
      },
    ]);
  });
});
