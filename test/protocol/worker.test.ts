import { describe, expect, test } from "vitest";
import { connect } from "../../sdk/client/connect.ts";
import { task } from "../../sdk/definition.ts";
import type { Service, WorkerPort } from "../../sdk/protocol/service.ts";
import { EngineRig } from "../support/engine-rig.ts";
import { FakeService } from "../support/fake-service.ts";
import { GatewayRig } from "../support/gateway-rig.ts";

const registration = { instance: "one", definitions: [{ name: "greet" }], slots: 4 };

const assignment = {
  task: "t1",
  attempt: 1,
  token: "t1.1",
  definition: "greet",
  version: "1",
  input: { name: "Ada" },
  idempotencyKey: "t1",
  journal: [],
  root: "t1",
  labels: {},
  metadata: {},
};

interface Registering {
  readonly registerWorker: Service["registerWorker"];
  readonly port: () => WorkerPort;
  readonly detached: Promise<void>;
}

/** Says everything a runtime can say before the answer to worker.register is out. */
function registering(early: (port: WorkerPort) => void = () => {}): Registering {
  const detached = Promise.withResolvers<void>();
  let current: WorkerPort | undefined;
  return {
    detached: detached.promise,
    port: () => {
      if (current === undefined) throw new Error("nobody registered");
      return current;
    },
    registerWorker: async (_params, port) => {
      current = port;
      early(port);
      const registered = { worker: "w1", leaseMs: 1, heartbeatMs: 1, keep: [], drop: [] };
      return { registered, detach: () => detached.resolve() };
    },
  };
}

describe("a worker's connection", () => {
  test("hears its id before its first assignment, and all in order", async () => {
    const { registerWorker, port } = registering((early) => {
      early.assign(assignment);
      early.cancel({ token: "t1.1", reason: "changed my mind", graceMs: 10 });
    });
    await using rig = await GatewayRig.start({}, new FakeService({ registerWorker }));
    const peer = await rig.connect();
    await peer.call("worker.register", registration);
    port().superseded();
    await peer.notification("worker.superseded");
    const [reply, ...rest] = peer.messages;
    expect(reply?.result).toMatchObject({ worker: "w1" });
    expect(rest.map(({ method, params }) => [method, params])).toEqual([
      ["attempt.assign", { ...assignment, worker: "w1" }],
      ["attempt.cancel", { token: "t1.1", reason: "changed my mind", graceMs: 10 }],
      ["worker.superseded", { worker: "w1" }],
    ]);
  });

  test("of two workers of one definition: each gets what was assigned to it", async () => {
    await using engine = await EngineRig.start();
    await using rig = await GatewayRig.start({ service: engine.node.serviceOf });
    const kantoku = await connect(rig.url);
    const begun = { count: 0, both: Promise.withResolvers<void>() };
    const greet = (name: string) =>
      task("greet", {}, async () => {
        begun.count += 1;
        if (begun.count === 2) begun.both.resolve();
        await begun.both.promise;
        return name;
      });
    const call = greet("nobody");
    try {
      for (const name of ["first", "second"]) await kantoku.work([greet(name)], { slots: 1 });
      const outputs = await Promise.all([kantoku.run(call()), kantoku.run(call())]);
      expect(outputs.toSorted()).toEqual(["first", "second"]);
    } finally {
      await kantoku.close();
    }
  });

  test.each(["together", "apart"])(
    "serves two versions of one definition, %s: a task goes to its own",
    async (how) => {
      await using engine = await EngineRig.start();
      await using rig = await GatewayRig.start({ service: engine.node.serviceOf });
      const kantoku = await connect(rig.url);
      const greets = ["1", "2"].map((version) => task("greet", { version }, () => version));
      const served = how === "together" ? [greets] : greets.map((greet) => [greet]);
      const run = (version: string) => kantoku.run({ definition: "greet", version });
      try {
        const workers = [];
        for (const definitions of served) workers.push(await kantoku.work(definitions));
        const calls = Array.from({ length: 20 }, (_, index) => String(1 + (index % 2)));
        expect(await Promise.all(calls.map(run))).toEqual(calls);
        expect(await Promise.all(greets.map((greet) => kantoku.run(greet())))).toEqual(["1", "2"]);
        expect(["1", "2"]).toContain(await kantoku.run({ definition: "greet" }));
        if (how === "together") return;
        await workers[0]?.close();
        expect(await kantoku.run({ definition: "greet" })).toBe("2");
        const missed = await kantoku.submit({ definition: "greet", version: "1" });
        expect(await missed.status()).toBe("ready");
      } finally {
        await kantoku.close();
      }
    },
  );

  test("that registers in a batch hears its id first, and does not speak for it before", async () => {
    const stuck = Promise.withResolvers<{ findings: [] }>();
    const { registerWorker, port } = registering();
    const fake = new FakeService({ registerWorker, doctor: () => stuck.promise });
    await using rig = await GatewayRig.start({}, fake);
    const peer = await rig.connect();
    peer.send([
      { jsonrpc: "2.0", id: 1, method: "worker.register", params: registration },
      { jsonrpc: "2.0", id: 2, method: "system.doctor" },
    ]);
    await peer.call("session.ping");
    port().assign(assignment);
    const beat = { worker: "w1", attempts: [] };
    expect((await peer.ask("worker.heartbeat", beat)).error?.code).toBe(-32003);
    stuck.resolve({ findings: [] });
    await peer.notification("attempt.assign");
    const [, , batch] = peer.frames.map((frame) => JSON.parse(frame) as unknown);
    expect(batch).toMatchObject([{ id: 1, result: { worker: "w1" } }, { id: 2 }]);
    expect(await peer.call("worker.heartbeat", beat)).toEqual({ keep: [], drop: [] });
  });

  test("that closes detaches its workers", async () => {
    const { registerWorker, detached } = registering();
    await using rig = await GatewayRig.start({}, new FakeService({ registerWorker }));
    const peer = await rig.connect();
    await peer.call("worker.register", registration);
    await peer.close();
    await detached;
  });

  test("that closes before the registration came about detaches it then", async () => {
    const asked = Promise.withResolvers<void>();
    const durable = Promise.withResolvers<void>();
    const inner = registering();
    const registerWorker: Service["registerWorker"] = async (params, port) => {
      asked.resolve();
      await durable.promise;
      return inner.registerWorker(params, port);
    };
    await using rig = await GatewayRig.start({}, new FakeService({ registerWorker }));
    const peer = await rig.connect();
    peer.send({ jsonrpc: "2.0", id: 1, method: "worker.register", params: registration });
    await asked.promise;
    await peer.close();
    await (await rig.connect()).call("session.ping");
    durable.resolve();
    await inner.detached;
  });

  test("that was superseded detaches nothing any more", async () => {
    await using rig = await GatewayRig.start();
    const old = await rig.connect();
    const { worker } = await old.call("worker.register", registration);
    const replaced = rig.fake.workers.get(String(worker));
    const young = await rig.connect();
    await young.call("worker.register", { ...registration, instance: "two", worker });
    expect(await old.notification("worker.superseded")).toEqual({ worker });
    await old.close();
    await young.call("session.ping");
    expect(replaced?.isDetached).toBe(false);
  });

  test("forgets one that was lost: it hears so when it beats, and may register again", async () => {
    const { registerWorker, port } = registering();
    await using rig = await GatewayRig.start(
      { bounds: { workersMax: 1 } },
      new FakeService({ registerWorker }),
    );
    const peer = await rig.connect();
    const { worker } = await peer.call("worker.register", registration);
    port().forgotten?.();
    const { error } = await peer.ask("worker.heartbeat", { worker, attempts: [] });
    expect(error).toMatchObject({ code: -32003, data: { code: "not-found" } });
    await peer.call("worker.register", registration);
    expect(await peer.call("worker.heartbeat", { worker, attempts: [] })).toBeDefined();
    expect(peer.messages.filter(({ method }) => method !== undefined)).toEqual([]);
  });

  test("holds no more workers than it may", async () => {
    await using rig = await GatewayRig.start({ bounds: { workersMax: 1 } });
    const peer = await rig.connect();
    await peer.call("worker.register", registration);
    const { error } = await peer.ask("worker.register", registration);
    expect(error).toMatchObject({ code: -32006, data: { code: "quota-exceeded", quota: 1 } });
  });
});

describe("what a worker tells", () => {
  test("heartbeats and draining reach the service", async () => {
    await using rig = await GatewayRig.start();
    const peer = await rig.connect();
    const { worker } = await peer.call("worker.register", registration);
    const beat = await peer.call("worker.heartbeat", { worker, attempts: ["a.1"] });
    expect(beat).toEqual({ keep: ["a.1"], drop: [] });
    expect(await peer.call("worker.drain", { worker })).toEqual({});
    expect(await peer.call("worker.list")).toEqual({ workers: [] });
  });

  test("as a call: answered with recorded, and late afterwards", async () => {
    await using rig = await GatewayRig.start();
    const peer = await rig.connect();
    await peer.call("worker.register", registration);
    await rig.fake.service.submit({ definition: "greet" });
    const { token } = await peer.notification("attempt.assign");
    const step = { token, step: "charge", occurrence: 1, output: { paid: true } };
    expect(await peer.call("step.record", step)).toEqual({ answer: "recorded" });
    expect(await peer.call("attempt.progress", { token, progress: 0.5 })).toEqual({});
    const error = { name: "Error", message: "no", cause: { name: "Error", message: "why" } };
    expect(await peer.call("attempt.fail", { token, error })).toEqual({ answer: "recorded" });
    expect(await peer.call("attempt.complete", { token })).toEqual({ answer: "late" });
    expect(rig.fake.find({ id: "task-1" }).error).toEqual(error);
  });

  test("as a notification: done, and not answered", async () => {
    await using rig = await GatewayRig.start();
    const peer = await rig.connect();
    await peer.call("worker.register", registration);
    const { id } = await rig.fake.service.submit({ definition: "greet" });
    const { token } = await peer.notification("attempt.assign");
    peer.notify("step.record", { token, step: "charge", occurrence: 1 });
    peer.notify("attempt.progress", { token, progress: 1 });
    peer.notify("attempt.complete", { token, output: 7 });
    peer.notify("attempt.complete", { token: "nobody's", output: 7 });
    await rig.fake.find({ id }).ended.promise;
    await peer.call("session.ping");
    expect(rig.fake.find({ id }).output).toBe(7);
    expect(peer.messages.filter(({ id }) => id !== undefined)).toHaveLength(2);
  });

  test("about an attempt that it does not hold", async () => {
    await using rig = await GatewayRig.start();
    const peer = await rig.connect();
    const { error } = await peer.ask("attempt.complete", { token: "forged", output: 1 });
    expect(error).toMatchObject({ code: -32003, data: { code: "not-found" } });
  });
});

test("T26 the same key again while the first still runs is the same task", async () => {
  await using rig = await GatewayRig.start();
  const first = await rig.connect();
  const params = { definition: "greet", input: 1, idempotencyKey: "k" };
  first.send({ jsonrpc: "2.0", id: 1, method: "task.run", params });
  await first.call("session.ping");
  await first.close();
  const second = await rig.connect();
  const again = second.call("task.run", params);
  await second.call("session.ping");
  rig.fake.end("task-1", "succeeded", { output: "once" });
  expect(await again).toEqual({ id: "task-1", status: "succeeded", output: "once" });
  expect(rig.fake.tasks.size).toBe(1);
  const { error } = await second.ask("task.submit", { ...params, input: 2 });
  expect(error).toMatchObject({ code: -32004, data: { code: "conflict", task: "task-1" } });
});

test("a task that failed is an error that carries the task's own", async () => {
  await using rig = await GatewayRig.start();
  const peer = await rig.connect();
  const outcome = peer.ask("task.run", { definition: "greet" });
  await peer.call("session.ping");
  const failure = { name: "Error", message: "out of stock" };
  rig.fake.end("task-1", "failed", { error: failure });
  expect((await outcome).error).toEqual({
    code: -32020,
    message: "The task failed",
    data: { code: "task-failed", task: "task-1", error: failure },
  });
});
