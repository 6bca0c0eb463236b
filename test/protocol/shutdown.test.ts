import { expect, test } from "vitest";
import { FakeService } from "../support/fake-service.ts";
import { GatewayRig } from "../support/gateway-rig.ts";

const call = (id: unknown, method: string, params?: object) => ({
  jsonrpc: "2.0",
  id,
  method,
  params,
});

function slowService() {
  const slow = Promise.withResolvers<{ findings: [] }>();
  const asked = Promise.withResolvers<void>();
  const doctor = () => {
    asked.resolve();
    return slow.promise;
  };
  return { slow, asked: asked.promise, fake: new FakeService({ doctor }) };
}

test("says when to come back, lets calls finish, refuses new ones, closes with 1012", async () => {
  const { slow, asked, fake } = slowService();
  const entropy = { id: () => "s", random: () => 0.5 };
  await using rig = await GatewayRig.start({ entropy }, fake);
  const peer = await rig.connect();
  const reply = peer.ask("system.doctor");
  await asked;
  const closed = rig.gateway.close();
  expect(await peer.notification("server.shutdown")).toEqual({ reconnectMs: 2500 });
  expect((await peer.ask("session.ping")).error).toMatchObject({
    code: -32012,
    data: { code: "shutting-down" },
  });
  slow.resolve({ findings: [] });
  expect((await reply).result).toEqual({ findings: [] });
  expect((await peer.closed()).code).toBe(1012);
  await closed;
  await expect(rig.connect()).rejects.toThrow();
});

test("T28 in the middle of a batch: what finished has its result, the rest -32012", async () => {
  const { asked, fake } = slowService();
  await using rig = await GatewayRig.start({}, fake);
  const peer = await rig.connect();
  peer.send([call(1, "session.ping"), call(2, "system.doctor"), call(3, "session.ping")]);
  await asked;
  const closed = rig.gateway.close();
  await peer.notification("server.shutdown");
  rig.clock.advance(10_000);
  await peer.until((frames) => frames.length === 2);
  const batch = JSON.parse(peer.frames[1] ?? "") as { id: number; error?: { code: number } }[];
  expect(batch.map(({ id, error }) => [id, error?.code])).toEqual([
    [1, undefined],
    [2, -32012],
    [3, undefined],
  ]);
  expect((await peer.closed()).code).toBe(1012);
  await closed;
});

test("calls that only wait are sent elsewhere at once", async () => {
  await using rig = await GatewayRig.start();
  const peer = await rig.connect();
  const waiting = peer.ask("task.run", { definition: "greet", idempotencyKey: "k" });
  const { id } = await peer.call("task.submit", { definition: "other" });
  const result = peer.ask("task.result", { id, waitMs: 600_000 });
  await peer.call("session.ping");
  const closed = rig.gateway.close();
  expect((await waiting).error?.code).toBe(-32012);
  expect((await result).error?.code).toBe(-32012);
  await closed;
});

test("ends subscriptions with their cursors and detaches workers", async () => {
  await using rig = await GatewayRig.start();
  const peer = await rig.connect();
  const { worker } = await peer.call("worker.register", {
    instance: "i",
    definitions: [{ name: "other" }],
    slots: 1,
  });
  const { id } = await peer.call("task.submit", { definition: "greet" });
  const { subscription } = await peer.call("task.subscribe", { id });
  await rig.gateway.close();
  await peer.closed();
  expect(await peer.notification("subscription.end")).toEqual({
    subscription,
    reason: "shutdown",
    cursor: "1",
  });
  expect(rig.fake.workers.get(String(worker))?.isDetached).toBe(true);
});

test("cuts a peer that does not close", async () => {
  await using rig = await GatewayRig.start();
  const peer = await rig.connect();
  peer.socket.pause();
  let isClosed = false;
  const closed = rig.gateway.close().then(() => {
    isClosed = true;
  });
  while (!isClosed) {
    rig.clock.advance(1_000);
    // The gateway goes on to its next wait before more time passes.
    await new Promise<void>((resolve) => void setImmediate(resolve));
  }
  await closed;
});

test("an HTTP call finishes too", async () => {
  const { slow, asked, fake } = slowService();
  await using rig = await GatewayRig.start({}, fake);
  const response = rig.post(JSON.stringify(call(1, "system.doctor")));
  await asked;
  const closed = rig.gateway.close();
  slow.resolve({ findings: [] });
  expect(await (await response).json()).toEqual({
    jsonrpc: "2.0",
    id: 1,
    result: { findings: [] },
  });
  await closed;
});

test("an HTTP call that only waits is sent elsewhere at once", async () => {
  const asked = Promise.withResolvers<void>();
  const run = () => {
    asked.resolve();
    return new Promise<never>(() => {});
  };
  await using rig = await GatewayRig.start({}, new FakeService({ run }));
  const response = rig.post(JSON.stringify(call(1, "task.run", { definition: "greet" })));
  await asked.promise;
  const closed = rig.gateway.close();
  expect(await (await response).json()).toMatchObject({ error: { code: -32012 } });
  await closed;
});

test("twice is once", async () => {
  await using rig = await GatewayRig.start();
  await Promise.all([rig.gateway.close(), rig.gateway.close()]);
});
