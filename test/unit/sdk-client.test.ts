import { describe, expect, test } from "vitest";
import { createClient } from "../../sdk/client/kantoku.ts";
import { task } from "../../sdk/definition.ts";
import { KantokuError } from "../../sdk/errors.ts";
import { pipeline } from "../../sdk/graph/pipeline.ts";
import type { RunResult, Service, Subscriber, WorkerPort } from "../../sdk/protocol/service.ts";
import { FakeService } from "../support/fake-service.ts";
import { ManualClock, settle } from "../support/manual-clock.ts";

const double = task("double", { version: "3", labels: { team: "a" } }, (n: number) => n * 2);

const later = new KantokuError("busy", "later", { data: { retryAfterMs: 500 } });

function clientOf(methods: Partial<Service>, clock = new ManualClock()) {
  return createClient(methods as Service, { clock, random: () => 0 });
}

/** A subscription that the test feeds by hand. */
function source() {
  const opened: { after: number; subscriber: Subscriber; isClosed: boolean }[] = [];
  const subscribe: Service["subscribe"] = async ({ after = 0 }, subscriber) => {
    const subscription = { after, subscriber, isClosed: false };
    opened.push(subscription);
    return {
      id: `s${opened.length}`,
      close: () => {
        subscription.isClosed = true;
      },
    };
  };
  const send = (seq: number) =>
    opened.at(-1)?.subscriber.event({ task: "t", seq, type: "task.readied", at: 0, data: {} });
  return { opened, subscribe, send };
}

async function seqsOf(events: AsyncIterable<{ seq: number }>): Promise<number[]> {
  const seqs: number[] = [];
  for await (const { seq } of events) seqs.push(seq);
  return seqs;
}

describe("submit", () => {
  test("sends the call with a fresh key, or the one given", async () => {
    const sent: Parameters<Service["submit"]>[0][] = [];
    const kantoku = clientOf({
      submit: async (params) => {
        sent.push(params);
        return { id: "t", status: "ready", created: true };
      },
    });
    const handle = await kantoku.submit(double(21));
    await kantoku.submit({ definition: "by-name" }, { idempotencyKey: "mine" });
    expect(handle).toMatchObject({ id: "t", created: true });
    expect(sent).toEqual([
      {
        definition: "double",
        version: "3",
        input: 21,
        labels: { team: "a" },
        idempotencyKey: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
      },
      { definition: "by-name", idempotencyKey: "mine" },
    ]);
  });

  test("sends nothing with a start that is no instant", async () => {
    const startAt = new Date("tomorrow");
    const fault = { code: "invalid-params", message: expect.stringMatching(/^not an instant/) };
    const kantoku = clientOf({});
    await expect(kantoku.submit(double(1), { startAt })).rejects.toMatchObject(fault);
    const later = double(1).with({ startAt });
    await expect(kantoku.submit(later)).rejects.toMatchObject(fault);
    await expect(kantoku.submit(double(later))).rejects.toMatchObject(fault);
    await expect(kantoku.submit(double(double(1)), { startAt })).rejects.toMatchObject(fault);
  });

  test("speaks the protocol's units", async () => {
    let sent: Parameters<Service["submit"]>[0] | undefined;
    const kantoku = clientOf({
      submit: async (params) => {
        sent = params;
        return { id: "t", status: "waiting", created: true };
      },
    });
    await kantoku.submit(double(1), {
      idempotencyKey: "k",
      priority: 1,
      startAt: new Date(5),
      timeout: "1m",
      attemptTimeout: 20,
      retry: { maxAttempts: 2, min: "1s", max: "1h" },
      labels: { zone: "b" },
      metadata: { a: [1] },
      trace: "00-t",
    });
    expect(sent).toEqual({
      definition: "double",
      version: "3",
      input: 1,
      idempotencyKey: "k",
      priority: 1,
      startAt: 5,
      timeoutMs: 60_000,
      attemptTimeoutMs: 20,
      retry: { maxAttempts: 2, minMs: 1_000, maxMs: 3_600_000 },
      labels: { team: "a", zone: "b" },
      metadata: { a: [1] },
      trace: "00-t",
    });
  });
});

describe("what is no call", () => {
  const whole = pipeline("whole", {}, () => double(1));

  test.each([
    [double, "double is a definition; run a call of it: double(…)"],
    [whole, "whole is a definition; run a call of it: whole(…)"],
    [undefined, "neither a call nor a value to come"],
    [Promise.resolve(double(1)), "neither a call nor a value to come"],
    [{}, "neither a call nor a value to come"],
  ])("is not sent: %#", async (given, message) => {
    const refusal = { code: "invalid-params", message: expect.stringContaining(message) };
    const kantoku = clientOf({});
    await expect(kantoku.run(given as never)).rejects.toMatchObject(refusal);
    await expect(kantoku.submit(given as never)).rejects.toMatchObject(refusal);
  });
});

describe("a submit that may have been accepted although it failed", () => {
  const failing = (error: unknown) => {
    const keys: (string | undefined)[] = [];
    const fail = async ({ idempotencyKey }: { readonly idempotencyKey?: string }) => {
      keys.push(idempotencyKey);
      throw error;
    };
    return { keys, kantoku: clientOf({ submit: fail, run: fail }) };
  };

  test.each([
    "busy",
    "shutting-down",
    "deadline-exceeded",
    "internal",
    "generic",
    "response-too-large",
    "batch-response-too-large",
    "unauthenticated",
    "forbidden",
  ] as const)("tells under which key, where it ends %s", async (code) => {
    const cause = new Error("why");
    const error = new KantokuError(code, "who knows", { data: { retryAfterMs: 5 }, cause });
    const { keys, kantoku } = failing(error);
    const told = await Promise.all([
      kantoku.run(double(1)).catch((thrown) => thrown),
      kantoku.submit(double(1)).catch((thrown) => thrown),
      kantoku.submit(double([double(1)] as never)).catch((thrown) => thrown),
      kantoku.submit(double(1), { idempotencyKey: "mine" }).catch((thrown) => thrown),
    ]);
    expect(keys).toEqual([expect.any(String), expect.any(String), expect.any(String), "mine"]);
    expect(told).toMatchObject(
      keys.map((idempotencyKey) => {
        return { code, message: "who knows", data: { retryAfterMs: 5, idempotencyKey }, cause };
      }),
    );
    // Many submits may fail by one and the same error.
    expect(error.data).toEqual({ retryAfterMs: 5 });
  });

  test.each(["conflict", "invalid-params", "task-failed"] as const)(
    "is not one that ends %s",
    async (code) => {
      const error = new KantokuError(code, "no");
      await expect(failing(error).kantoku.submit(double(1))).rejects.toBe(error);
    },
  );
});

describe("run", () => {
  test("waits on for as long as the task has not ended", async () => {
    const results: RunResult[] = [
      { id: "t", status: "running" },
      { id: "t", status: "succeeded", output: 42 },
    ];
    const kantoku = clientOf({
      run: async () => ({ id: "t", status: "ready" }),
      result: async () => results.shift() ?? { id: "t", status: "ready" },
    });
    const output: number = await kantoku.run(double(21));
    expect(output).toBe(42);
  });

  test("gives up when waitMs ends, and says which task goes on", async () => {
    const clock = new ManualClock();
    const asked: (number | undefined)[] = [];
    const wait = async (waitMs: number | undefined): Promise<RunResult> => {
      asked.push(waitMs);
      await clock.advance(Math.min(waitMs ?? 0, 600));
      return { id: "t", status: "running" };
    };
    const kantoku = clientOf(
      { run: ({ waitMs }) => wait(waitMs), result: ({ waitMs }) => wait(waitMs) },
      clock,
    );
    await expect(kantoku.run(double(1), { waitMs: 1_000 })).rejects.toMatchObject({
      code: "deadline-exceeded",
      data: { task: "t", status: "running" },
    });
    expect(asked).toEqual([1_000, 400]);
  });

  test("asks again while the answer is to come later, and not before the server said", async () => {
    const clock = new ManualClock();
    const asked: number[] = [];
    const start = clock.now();
    const kantoku = clientOf(
      {
        run: async () => ({ id: "t", status: "running" }),
        result: async () => {
          asked.push(clock.now() - start);
          if (asked.length === 4) return { id: "t", status: "succeeded", output: 42 };
          throw later;
        },
      },
      clock,
    );
    const output = kantoku.run(double(21));
    await clock.advance(1_500);
    expect(await output).toBe(42);
    expect(asked).toEqual([0, 500, 1_000, 1_500]);
  });

  test("ends at waitMs, or with its signal, while the answer is to come later", async () => {
    const clock = new ManualClock();
    const kantoku = clientOf(
      {
        run: async () => ({ id: "t", status: "running" }),
        result: async () => {
          throw later;
        },
      },
      clock,
    );
    const bounded = expect(kantoku.run(double(1), { waitMs: 700 })).rejects.toMatchObject({
      code: "deadline-exceeded",
      data: { task: "t" },
      cause: later,
    });
    await clock.advance(700);
    await bounded;
    const abort = new AbortController();
    const signalled = kantoku.run(double(1), { signal: abort.signal });
    await settle();
    abort.abort("enough");
    await expect(signalled).rejects.toBe("enough");
    await settle();
    expect(clock.timerCount).toBe(0);
  });

  test("shows what its submit was refused with, and asks no more after a close", async () => {
    const clock = new ManualClock();
    const refused = clientOf({ run: () => Promise.reject(later) }, clock);
    await expect(refused.run(double(1))).rejects.toMatchObject({
      code: "busy",
      message: "later",
      data: { retryAfterMs: 500 },
    });
    const kantoku = clientOf(
      { run: async () => ({ id: "t", status: "ready" }), result: () => Promise.reject(later) },
      clock,
    );
    const running = expect(kantoku.run(double(1))).rejects.toBe(later);
    await settle();
    await kantoku.close();
    await running;
    expect(clock.timerCount).toBe(0);
  });

  test("gives up when its signal aborts, with the signal's reason", async () => {
    const abort = new AbortController();
    const kantoku = clientOf({ run: () => new Promise(() => undefined) });
    const running = kantoku.run(double(1), { signal: abort.signal });
    abort.abort("enough");
    await expect(running).rejects.toBe("enough");
    await expect(kantoku.run(double(1), { signal: abort.signal })).rejects.toBe("enough");
  });

  test("rejects with the author's error in data and as cause", async () => {
    const error = { name: "RangeError", message: "off", code: "E1" };
    const kantoku = clientOf({
      run: async () => {
        throw new KantokuError("task-failed", "task t failed", { data: { task: "t", error } });
      },
    });
    await expect(kantoku.run(double(1))).rejects.toMatchObject({
      code: "task-failed",
      data: { task: "t", error },
      cause: { name: "RangeError", message: "off", code: "E1" },
    });
  });
});

describe("a handle", () => {
  test("of a task that is there waits for it, also while the first answer is to come later", async () => {
    const clock = new ManualClock();
    const answers = [later, { id: "t", status: "succeeded", output: "done" } as const];
    const kantoku = clientOf(
      {
        result: async () => {
          const answer = answers.shift();
          if (answer === undefined || answer instanceof Error) throw answer;
          return answer;
        },
      },
      clock,
    );
    const output = kantoku.handle("t").result();
    await clock.advance(500);
    expect(await output).toBe("done");
  });

  test("asks for result, status and cancellation", async () => {
    const cancelled: unknown[] = [];
    const kantoku = clientOf({
      result: async () => ({ id: "t", status: "succeeded", output: "done" }),
      get: async () => ({ status: "running" }) as Awaited<ReturnType<Service["get"]>>,
      cancel: async (params) => {
        cancelled.push(params);
        return { status: "cancelling", accepted: true };
      },
    });
    const handle = kantoku.handle<string>("t");
    expect(await handle.result()).toBe("done");
    expect(await handle.status()).toBe("running");
    expect(await handle.cancel("why")).toMatchObject({ accepted: true });
    await handle.cancel();
    expect(cancelled).toEqual([{ id: "t", reason: "why" }, { id: "t" }]);
  });
});

describe("a handle's events", () => {
  test("go on with another subscription when the source shuts down", async () => {
    const { opened, subscribe, send } = source();
    const clock = new ManualClock();
    const kantoku = clientOf({ subscribe }, clock);
    const seqs = seqsOf(kantoku.handle("t").events());
    await settle();
    send(1);
    send(2);
    opened[0]?.subscriber.end("shutdown");
    await settle();
    await clock.advance(0);
    expect(opened[1]?.after).toBe(2);
    send(2);
    send(3);
    opened[1]?.subscriber.end("ended");
    expect(await seqs).toEqual([1, 2, 3]);
    expect(opened.map(({ isClosed }) => isClosed)).toEqual([true, true]);
  });

  test("hold no more than a reader's lag allows, and lose none of them", async () => {
    const { opened, subscribe, send } = source();
    const kantoku = clientOf({ subscribe });
    const events = kantoku.handle("t").events();
    const first = events.next();
    await settle();
    for (let seq = 1; seq <= 5_000; seq++) send(seq);
    expect((await first).value).toMatchObject({ seq: 1 });
    const seqs = seqsOf(events);
    await settle();
    expect(opened).toHaveLength(2);
    expect(opened[1]?.after).toBe(1_000);
    for (let seq = 1_001; seq <= 1_010; seq++) send(seq);
    opened[1]?.subscriber.end("ended");
    expect((await seqs).at(-1)).toBe(1_010);
    expect(await seqs).toHaveLength(1_009);
  });

  test("end quietly when the reader's signal aborts", async () => {
    const { opened, subscribe, send } = source();
    const abort = new AbortController();
    const kantoku = clientOf({ subscribe });
    const seqs = seqsOf(kantoku.handle("t").events({ signal: abort.signal }));
    await settle();
    send(1);
    await settle();
    abort.abort();
    expect(await seqs).toEqual([1]);
    expect(opened[0]?.isClosed).toBe(true);
  });

  test("give up after twenty tries in vain", async () => {
    const clock = new ManualClock();
    let tries = 0;
    const kantoku = clientOf(
      {
        subscribe: async () => {
          tries += 1;
          throw new KantokuError("busy", "later");
        },
      },
      clock,
    );
    const failure = expect(seqsOf(kantoku.handle("t").events())).rejects.toMatchObject({
      code: "busy",
    });
    await clock.advance(0);
    await failure;
    expect(tries).toBe(21);
  });
});

describe("close", () => {
  test("closes the workers, then what the client stands on, once", async () => {
    const order: string[] = [];
    const service: Partial<Service> = {
      registerWorker: async () => ({
        registered: { worker: "w", leaseMs: 1, heartbeatMs: 1, keep: [], drop: [] },
        detach: () => void order.push("worker"),
      }),
      drainWorker: async () => ({}),
    };
    const clock = new ManualClock();
    const kantoku = createClient(service as Service, {
      clock,
      onClose: async () => void order.push("service"),
    });
    await kantoku.work([double]);
    await Promise.all([kantoku.close(), kantoku.close()]);
    expect(order).toEqual(["worker", "service"]);
    expect(clock.timerCount).toBe(0);
  });
});

describe("a worker's name", () => {
  const taken = {
    code: "conflict",
    message:
      'this client has a worker named "a" already, and the two would end each other; close it first, or give this one another name',
  };

  test("is one worker's of a client, until that has ended", async () => {
    const ports: WorkerPort[] = [];
    const { service } = new FakeService({
      registerWorker: async (_, port) => {
        ports.push(port);
        const worker = `w${ports.length}`;
        const registered = { worker, leaseMs: 10_000, heartbeatMs: 3_000, keep: [], drop: [] };
        return { registered, detach: () => {} };
      },
    });
    const kantoku = createClient(service, { clock: new ManualClock(), random: () => 0 });
    const [first] = await Promise.all([
      kantoku.work([double], { name: "a" }),
      expect(kantoku.work([double], { name: "a" })).rejects.toMatchObject(taken),
    ]);
    await expect(kantoku.work([], { name: "a" })).rejects.toMatchObject(taken);
    await Promise.all([kantoku.work([], { name: "b" }), kantoku.work([]), kantoku.work([])]);
    expect(ports).toHaveLength(4);
    await first.close();
    const second = await kantoku.work([double], { name: "a" });
    ports.at(-1)?.superseded();
    await second.ended;
    await (await kantoku.work([double], { name: "a" })).drain();
    await kantoku.work([double], { name: "a" });
  });

  test("is free again when its worker could not register", async () => {
    let isAway = true;
    const { service } = new FakeService();
    const { registerWorker } = service;
    const kantoku = clientOf({
      ...service,
      registerWorker: async (params, port) => {
        if (isAway) throw new KantokuError("forbidden", "no");
        return registerWorker(params, port);
      },
    });
    await expect(kantoku.work([double], { name: "a" })).rejects.toThrow("no");
    isAway = false;
    await kantoku.work([double], { name: "a" });
  });
});
