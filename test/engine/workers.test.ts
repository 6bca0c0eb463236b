import { describe, expect, test } from "vitest";
import { createClient } from "../../sdk/index.ts";
import { limits } from "../../sdk/protocol/limits.ts";
import { EngineRig } from "../support/engine-rig.ts";
import { errorOf, watch } from "../support/outcome.ts";
import { enlistNode } from "../support/test-node.ts";
import { register } from "../support/turns.ts";

describe("a worker that registers again", () => {
  test("as the same process keeps the attempts that it lists", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker({ name: "w" });
    const id = await rig.submit();
    const { token } = worker.last;
    const before = worker.id;
    worker.link.detach();
    await rig.advance(4_000);
    await worker.registerOn(rig.service, { name: "w" });
    expect(worker.link.registered).toMatchObject({ worker: before, keep: [token], drop: [] });
    await rig.live(6_000, worker);
    expect(await worker.complete(1)).toEqual({ answer: "recorded" });
    expect(await rig.types(id)).toEqual([
      "task.submitted",
      "attempt.assigned",
      "attempt.succeeded",
    ]);
  });

  test("as the same process loses what it lacks, and that does not count", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker({ name: "w" });
    const id = await rig.submit();
    const { token } = worker.last;
    await worker.registerOn(rig.service, { name: "w", attempts: [] });
    await rig.settle();
    expect(await rig.eventsOf(id, "attempt.lost")).toEqual([
      { token, reason: "undelivered", counts: false },
    ]);
    expect(worker.last).toMatchObject({ task: id, attempt: 2 });
  });

  test("as a new process loses at once what it does not list, and that counts", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker({ name: "w", slots: 2 });
    const ids = [await rig.submit(), await rig.submit()];
    const next = await rig.worker({ name: "w", instance: "instance-2", slots: 2 });
    await rig.settle();
    expect(worker.isSuperseded).toBe(true);
    expect(next.id).toBe(worker.id);
    for (const id of ids) {
      expect(await rig.eventsOf(id, "attempt.lost")).toMatchObject([
        { reason: "process replaced", counts: true },
      ]);
    }
    expect(next.assignments).toHaveLength(2);
    expect(await worker.complete(1)).toEqual({ answer: "late" });
  });

  test("is told to drop what nobody knows", async () => {
    await using rig = await EngineRig.start();
    const unknown = `${rig.entropy.id()}.1.abc`;
    const worker = await rig.worker({ attempts: [unknown] });
    expect(worker.link.registered).toMatchObject({ keep: [], drop: [unknown] });
  });

  test("unnamed, by its id, is the same worker; another process's id is not taken", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const { id } = worker;
    await worker.registerOn(rig.service, { worker: id });
    expect(worker.id).toBe(id);
    const thief = await rig.worker({ worker: id, instance: "thief" });
    expect(thief.id).not.toBe(id);
    expect(worker.isSuperseded).toBe(false);
  });

  test("gets what was assigned while it had no socket", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker({ name: "w" });
    await rig.settle();
    const release = rig.node.store.hold();
    const submitted = rig.service.submit({ definition: "job", input: 1 });
    await rig.settle();
    worker.link.detach();
    release();
    await submitted;
    await rig.settle();
    expect(worker.assignments).toEqual([]);
    await worker.registerOn(rig.service, { name: "w" });
    await rig.settle();
    expect(worker.inputs).toEqual([1]);
  });
});

test("a worker without a socket for five seconds is lost, and that counts", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit();
  worker.link.detach();
  await rig.submit({ input: "not for a worker without a socket" });
  await rig.advance(4_900);
  expect(await rig.status(id)).toBe("running");
  await rig.advance(200);
  expect(await rig.eventsOf(id, "attempt.lost")).toMatchObject([
    { reason: "disconnected", counts: true },
  ]);
  expect(await rig.status(id)).toBe("ready");
  const { workers } = await rig.service.listWorkers({});
  expect(workers).toMatchObject([{ status: "lost" }]);
  expect((await errorOf(worker.beat())).code).toBe("not-found");
  const next = await rig.worker({ instance: "instance-2", slots: 2 });
  await rig.settle();
  expect(next.assignments).toHaveLength(2);
});

test("attempts of a lost worker are looked for until the store answers", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit();
  rig.node.store.failNext("tasks.acquireOfWorker", 3);
  worker.link.detach();
  await rig.advance(15_000);
  expect(await rig.eventsOf(id, "attempt.lost")).toMatchObject([{ reason: "disconnected" }]);
  expect(await rig.status(id)).toBe("ready");
});

test("the end of a link that was replaced changes nothing", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ name: "w" });
  const before = worker.link;
  const port = {
    assign: worker.assign.bind(worker),
    cancel: worker.cancel.bind(worker),
    superseded: worker.superseded.bind(worker),
  };
  await rig.service.registerWorker(
    { name: "w", instance: "instance-1", definitions: [{ name: "job" }], slots: 1 },
    port,
  );
  before.detach();
  for (let beat = 0; beat < 5; beat += 1) {
    await rig.advance(2_000);
    await worker.beat();
  }
  await rig.submit({ input: 1 });
  expect(worker.inputs).toEqual([1]);
});

describe("a heartbeat", () => {
  test("keeps what is held and drops what is unknown", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    await rig.submit();
    const { token } = worker.last;
    const unknown = `${rig.entropy.id()}.1.abc`;
    expect(await worker.beat([token, unknown])).toEqual({ keep: [token], drop: [unknown] });
  });

  test("that lacks an attempt once may have crossed its assignment; twice, it is lost", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    const { token } = worker.last;
    await worker.beat([]);
    await rig.settle();
    expect(await rig.status(id)).toBe("running");
    expect(worker.assignments).toHaveLength(1);
    await worker.beat([token]);
    await worker.beat([]);
    await rig.settle();
    expect(worker.assignments).toHaveLength(1);
    await worker.beat([]);
    await rig.settle();
    expect(await rig.eventsOf(id, "attempt.lost")).toEqual([
      { token, reason: "undelivered", counts: false },
    ]);
    expect(worker.last).toMatchObject({ task: id, attempt: 2 });
    expect(await worker.beat([token])).toMatchObject({ drop: [token] });
  });

  test("frees the slot of an attempt that was cancelled by force and is gone", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    await rig.submit({ attemptTimeoutMs: 500 });
    await rig.submit({ input: "next" });
    await rig.advance(500);
    await worker.beat([]);
    await worker.beat([]);
    await rig.settle();
    expect(worker.last.input).toBe("next");
  });

  test("of a worker that the node does not have is not found", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const beat = rig.service.heartbeat({ worker: rig.entropy.id(), attempts: [] });
    expect((await errorOf(beat)).code).toBe("not-found");
    expect(worker.isSuperseded).toBe(false);
  });
});

describe("an attempt whose report is being committed", () => {
  /** A worker of one slot that has reported; the commit is tried again and again. */
  async function startReport() {
    const rig = await EngineRig.start();
    const worker = await rig.worker({ name: "w" });
    const id = await rig.submit();
    const { token } = worker.last;
    const isReport = ({ turns }: { turns: readonly { id: string }[] }) =>
      turns.some((turn) => turn.id === id);
    rig.node.store.plan({ fault: "unavailable", times: 100, hits: isReport });
    const reported = watch(worker.complete("done"));
    await rig.settle();
    const finish = async (): Promise<unknown> => {
      rig.node.store.heal();
      await rig.advance(2_000);
      return reported.value;
    };
    return { rig, worker, id, token, finish };
  }

  test("is kept by heartbeats that list it, and not missed by those that do not", async () => {
    const { rig, worker, id, token, finish } = await startReport();
    await using _ = rig;
    expect(await worker.beat([token])).toEqual({ keep: [token], drop: [] });
    for (let beat = 0; beat < 3; beat += 1) await worker.beat([]);
    expect(await finish()).toEqual({ answer: "recorded" });
    expect(await rig.types(id)).toHaveLength(3);
    expect(await worker.beat([token])).toEqual({ keep: [], drop: [token] });
  });

  test("takes no slot, also when its worker registers again", async () => {
    const { rig, worker, token, finish } = await startReport();
    await using _ = rig;
    await worker.registerOn(rig.service, { name: "w", attempts: [token] });
    expect(worker.link.registered).toMatchObject({ keep: [token], drop: [] });
    await rig.submit({ input: "next" });
    expect(worker.inputs).toContain("next");
    expect(await finish()).toEqual({ answer: "recorded" });
    await rig.submit({ input: "not while the next runs" });
    expect(worker.mostRunning).toBe(1);
  });

  test("keeps a worker that drains from having gone", async () => {
    const { rig, worker, finish } = await startReport();
    await using _ = rig;
    await worker.drain();
    expect(await rig.service.listWorkers({})).toMatchObject({ workers: [{ status: "draining" }] });
    expect(await finish()).toEqual({ answer: "recorded" });
    expect(await rig.service.listWorkers({})).toMatchObject({ workers: [{ status: "gone" }] });
  });

  test("lends no slot that it does not take", async () => {
    const { rig, worker, token, finish } = await startReport();
    await using _ = rig;
    expect(await rig.service.suspend({ token })).toEqual({ accepted: false });
    expect(await finish()).toEqual({ answer: "recorded" });
    await rig.submit();
    await rig.submit();
    expect(worker.mostRunning).toBe(1);
  });

  test("that lent its slot lends it no more afterwards", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    await rig.submit();
    await rig.service.suspend({ token: worker.last.token });
    await worker.complete();
    await rig.submit();
    await rig.submit();
    expect(worker.mostRunning).toBe(1);
  });
});

test("a worker that is silent for its lease is lost, and that counts", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit();
  await rig.live(8_000, worker);
  await rig.advance(9_500);
  expect(await rig.status(id)).toBe("running");
  await rig.advance(3_000);
  expect(await rig.eventsOf(id, "attempt.lost")).toMatchObject([
    { reason: "no heartbeat", counts: true },
  ]);
});

test("a worker that was lost for its silence hears so when it beats, and serves again", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const before = worker.id;
  const id = await rig.submit();
  await rig.advance(13_000);
  expect(worker.isForgotten).toBe(true);
  expect(worker.isSuperseded).toBe(false);
  expect((await errorOf(worker.beat())).code).toBe("not-found");
  await worker.registerOn(rig.service, { worker: before, attempts: [] });
  await rig.settle();
  expect(worker.id).toBe(before);
  expect(worker.last).toMatchObject({ task: id, attempt: 2 });
});

test("a process whose name another took while it was lost does not take it back", async () => {
  await using rig = await EngineRig.start();
  const stalled = await rig.worker({ name: "w" });
  await rig.advance(13_000);
  const next = await rig.worker({ name: "w", instance: "instance-2" });
  const back = stalled.registerOn(rig.service, { name: "w", worker: stalled.id });
  expect((await errorOf(back)).code).toBe("conflict");
  await rig.submit();
  expect(next.isSuperseded).toBe(false);
  expect(next.assignments).toHaveLength(1);
  next.link.detach();
  await rig.advance(6_000);
  await stalled.registerOn(rig.service, { name: "w", worker: stalled.id });
  await rig.settle();
  expect(stalled.assignments).toHaveLength(1);
});

test("a worker that beats lives on, however long", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit();
  await rig.live(60_000, worker);
  expect(await worker.complete()).toEqual({ answer: "recorded" });
  expect(await rig.types(id)).toHaveLength(3);
});

test("workers are not judged for a stall of the node's own", async () => {
  await using rig = await EngineRig.start({ nodeLeaseMs: 120_000 });
  const worker = await rig.worker();
  const id = await rig.submit();
  await rig.clock.stall(30_000);
  await worker.beat();
  await rig.live(6_000, worker);
  expect(await rig.types(id)).toEqual(["task.submitted", "attempt.assigned"]);
  expect(worker.isSuperseded).toBe(false);
});

test("a worker's journal holds its life and not its work", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  for (let task = 0; task < 3; task += 1) {
    await rig.submit();
    await worker.complete();
  }
  await worker.drain();
  worker.link.detach();
  await rig.settle();
  const events = await rig.store.journal.read(worker.id, 0, 100);
  expect(events.map(({ type }) => type)).toEqual([
    "worker.registered",
    "worker.draining",
    "worker.gone",
  ]);
});

test("of many processes that register under one name at once, one serves", async () => {
  await using rig = await EngineRig.start();
  const registrations = await Promise.allSettled(
    Array.from({ length: 5 }, (_, index) => rig.worker({ name: "w", instance: `i-${index}` })),
  );
  const workers = registrations.flatMap((each) =>
    each.status === "fulfilled" ? [each.value] : [],
  );
  await rig.submit({ input: 1 });
  expect(workers.filter(({ assignments }) => assignments.length > 0)).toHaveLength(1);
  expect(workers.filter(({ isSuperseded }) => !isSuperseded)).toHaveLength(1);
  expect(await rig.service.doctor()).toEqual({ findings: [] });
});

test("an attempt that nobody delivered and nobody lost starts again", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ slots: 2 });
  const id = await rig.submit();
  const { token } = worker.last;
  // As after a commit that landed while its worker came back: the store alone knows of it.
  const { pool, directory } = rig.node.engine.life;
  pool.letGo(worker.id, token);
  directory.forget(id);
  worker.running.delete(token);
  await rig.live(8_000, worker);
  expect(worker.assignments.map(({ task }) => task)).toEqual([id, id]);
  expect(await rig.eventsOf(id, "attempt.lost")).toMatchObject([{ reason: "undelivered" }]);
  await worker.complete(1);
  expect(await rig.status(id)).toBe("succeeded");
  expect(await rig.store.doctor()).toEqual([]);
});

test("a worker that cannot be judged does not keep the others from being judged", async () => {
  await using rig = await EngineRig.start();
  const before = await enlistNode(rig.store);
  // As newer code, or a hand, may have left it; it stands before all others.
  const id = "00000000-0000-7000-8000-000000000000";
  await before.commit(
    register({ id, snapshot: '{"value":"pausing","context":{}}', leaseMs: 1_000 }),
  );
  const other = await rig.join();
  const worker = await rig.worker({ name: "w" }, other);
  const task = await rig.submit({}, other);
  expect(worker.assignments).toHaveLength(1);
  other.crash();
  await rig.advance(120_000);
  expect((await rig.store.workers.read(worker.id))?.status).toBe("lost");
  expect(await rig.status(task)).toBe("ready");
});

test("of many that register under one name at once, some come in and the others hear why", async () => {
  await using rig = await EngineRig.start();
  const registering = Array.from({ length: 50 }, (_, index) =>
    rig.worker({ name: "crowd", instance: `process-${index}` }),
  );
  const settled = Promise.allSettled(registering);
  await rig.settle();
  const refusals = (await settled).filter(({ status }) => status === "rejected");
  expect(refusals.length).toBeGreaterThan(0);
  expect(refusals.length).toBeLessThan(50);
  for (const refusal of refusals) {
    expect(refusal).toMatchObject({
      reason: { code: "busy", message: "several workers register under the name crowd at once" },
    });
  }
});

test("workers are listed in pages, and a client follows them", async () => {
  await using rig = await EngineRig.start();
  const registered = [];
  for (let n = 0; n < 130; n += 1) registered.push((await rig.worker({ instance: `i${n}` })).id);
  const first = await rig.service.listWorkers({});
  expect(first.workers).toHaveLength(100);
  const rest = await rig.service.listWorkers({ cursor: first.cursor ?? "" });
  expect(rest).not.toHaveProperty("cursor");
  const listed = [...first.workers, ...rest.workers].map(({ id }) => id);
  expect(listed).toEqual(registered.toSorted());
  const ten = await rig.service.listWorkers({ limit: 10 });
  expect(ten.workers.map(({ id }) => id)).toEqual(listed.slice(0, 10));
  const client = createClient(rig.service);
  expect((await client.workers()).map(({ id }) => id)).toEqual(listed);
  await client.close();
});

test("a page of workers fits a frame, however many definitions they serve", async () => {
  await using rig = await EngineRig.start();
  const definitions = Array.from({ length: limits.definitionsPerWorkerMax }, (_, n) => ({
    name: String(n).padEnd(limits.nameLengthMax, "n"),
  }));
  for (let n = 0; n < 20; n += 1) await rig.worker({ instance: `i${n}`, definitions });
  const page = await rig.service.listWorkers({});
  expect(page.workers.length).toBeGreaterThan(0);
  expect(page.cursor).toBe(page.workers.at(-1)?.id);
  expect(JSON.stringify(page).length).toBeLessThan(limits.frameToClientBytesMax);
});
