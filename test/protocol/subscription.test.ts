import { describe, expect, test } from "vitest";
import { KantokuError } from "../../sdk/errors.ts";
import type { Service, Subscriber } from "../../sdk/protocol/service.ts";
import { FakeService } from "../support/fake-service.ts";
import { GatewayRig } from "../support/gateway-rig.ts";
import type { Heard } from "../support/rpc-socket.ts";

const isEvent = ({ method }: Heard) => method === "task.event";
const seqs = (messages: readonly Heard[]) =>
  messages.filter(isEvent).map(({ params }) => params?.["seq"]);

describe("a subscription to one task", () => {
  test("T25 starts with the reply, then history, then goes on live, then ends", async () => {
    await using rig = await GatewayRig.start();
    const peer = await rig.connect();
    const { id } = await rig.fake.service.submit({ definition: "greet" });
    rig.fake.append(id, "note", { text: "é" });
    const { subscription } = await peer.call("task.subscribe", { id });
    await peer.until(() => seqs(peer.messages).length === 2);
    rig.fake.append(id, "note");
    rig.fake.progress(id, { percent: 50 });
    rig.fake.end(id, "succeeded");
    await peer.notification("subscription.end");
    const [reply, first, ...rest] = peer.messages;
    expect(reply?.result).toEqual({ subscription });
    expect(first?.params).toEqual({
      subscription,
      task: id,
      seq: 1,
      type: "task.submitted",
      at: 1_700_000_000_000,
      data: { definition: "greet" },
      cursor: "1",
    });
    expect(seqs(peer.messages)).toEqual([1, 2, 3, 4]);
    expect(rest.map(({ method }) => method)).toEqual([
      "task.event",
      "task.event",
      "task.progress",
      "task.event",
      "subscription.end",
    ]);
    expect(rest[2]?.params).toEqual({ subscription, task: id, progress: { percent: 50 } });
    expect(rest[4]?.params).toEqual({ subscription, reason: "ended", cursor: "4" });
  });

  test("T25 in a batch: the whole array first, then events", async () => {
    await using rig = await GatewayRig.start();
    const peer = await rig.connect();
    const { id } = await rig.fake.service.submit({ definition: "greet" });
    peer.send([
      { jsonrpc: "2.0", id: 1, method: "task.subscribe", params: { id } },
      { jsonrpc: "2.0", id: 2, method: "task.get", params: { id } },
    ]);
    await peer.until((frames) => frames.length === 2);
    expect(JSON.parse(peer.frames[0] ?? "")).toHaveLength(2);
    expect(JSON.parse(peer.frames[1] ?? "")).toMatchObject({ method: "task.event" });
  });

  test("T25 in a batch that waits for another call: still the array first", async () => {
    await using rig = await GatewayRig.start();
    const peer = await rig.connect();
    const { id } = await rig.fake.service.submit({ definition: "greet" });
    peer.send([
      { jsonrpc: "2.0", id: 1, method: "task.subscribe", params: { id } },
      { jsonrpc: "2.0", id: 2, method: "task.result", params: { id } },
    ]);
    await peer.call("session.ping");
    rig.fake.append(id, "note");
    rig.fake.end(id, "succeeded", { output: 1 });
    await peer.notification("subscription.end");
    const [, batch, ...rest] = peer.frames.map((frame) => JSON.parse(frame) as Heard | Heard[]);
    expect(batch).toMatchObject([
      { id: 1, result: { subscription: expect.any(String) } },
      { id: 2, result: { output: 1 } },
    ]);
    expect(seqs(rest.flat())).toEqual([1, 2, 3]);
  });

  test("whose answer waits with its batch is kept no longer than its socket", async () => {
    const unsubscribed = Promise.withResolvers<void>();
    const stuck = Promise.withResolvers<{ findings: [] }>();
    const subscribe: Service["subscribe"] = async () => ({
      id: "s1",
      close: () => unsubscribed.resolve(),
    });
    const fake = new FakeService({ subscribe, doctor: () => stuck.promise });
    await using rig = await GatewayRig.start({}, fake);
    const peer = await rig.connect();
    peer.send([
      { jsonrpc: "2.0", id: 1, method: "task.subscribe", params: { id: "t" } },
      { jsonrpc: "2.0", id: 2, method: "system.doctor" },
    ]);
    await peer.call("session.ping");
    await peer.close();
    await unsubscribed.promise;
    stuck.resolve({ findings: [] });
  });

  test.each([
    ["a seq", 2],
    ["a cursor", "2"],
  ])("resumes after %s", async (_name, after) => {
    await using rig = await GatewayRig.start();
    const peer = await rig.connect();
    const { id } = await rig.fake.service.submit({ definition: "greet", idempotencyKey: "k" });
    for (let count = 0; count < 3; count += 1) rig.fake.append(id, "note");
    rig.fake.end(id, "succeeded");
    await peer.call("task.subscribe", { key: "k", after });
    await peer.notification("subscription.end");
    expect(seqs(peer.messages)).toEqual([3, 4, 5]);
  });

  test("ends when asked to, and says nothing more", async () => {
    await using rig = await GatewayRig.start();
    const peer = await rig.connect();
    const { id } = await rig.fake.service.submit({ definition: "greet" });
    const { subscription } = await peer.call("task.subscribe", { id });
    expect(await peer.call("task.unsubscribe", { subscription })).toEqual({});
    expect(rig.fake.find({ id }).subscribers.size).toBe(0);
    rig.fake.append(id, "note");
    expect(await peer.call("task.unsubscribe", { subscription })).toEqual({});
    expect(seqs(peer.messages)).toEqual([1]);
  });

  test("to a task that does not exist", async () => {
    await using rig = await GatewayRig.start();
    const peer = await rig.connect();
    expect((await peer.ask("task.subscribe", { id: "nope" })).error?.code).toBe(-32003);
  });

  test("ends with its socket", async () => {
    const unsubscribed = Promise.withResolvers<void>();
    const subscribe: Service["subscribe"] = async () => ({
      id: "s1",
      close: () => unsubscribed.resolve(),
    });
    await using rig = await GatewayRig.start({}, new FakeService({ subscribe }));
    const peer = await rig.connect();
    await peer.call("task.subscribe", { id: "t" });
    await peer.close();
    await unsubscribed.promise;
  });

  test("that comes about after its socket closed is closed at once", async () => {
    const asked = Promise.withResolvers<void>();
    const found = Promise.withResolvers<void>();
    const unsubscribed = Promise.withResolvers<void>();
    const subscribe: Service["subscribe"] = async (_params, subscriber) => {
      asked.resolve();
      await found.promise;
      subscriber.event({ task: "t", seq: 1, type: "x", at: 0, data: {} });
      return { id: "s1", close: () => unsubscribed.resolve() };
    };
    await using rig = await GatewayRig.start({}, new FakeService({ subscribe }));
    const peer = await rig.connect();
    peer.send({ jsonrpc: "2.0", id: 1, method: "task.subscribe", params: { id: "t" } });
    await asked.promise;
    await peer.close();
    // The gateway has seen the close once it has answered somebody who came later.
    await (await rig.connect()).call("session.ping");
    found.resolve();
    await unsubscribed.promise;
  });

  test("one more than a socket may hold is refused", async () => {
    await using rig = await GatewayRig.start({ bounds: { subscriptionsMax: 2 } });
    const peer = await rig.connect();
    const { id } = await rig.fake.service.submit({ definition: "greet" });
    const { subscription } = await peer.call("task.subscribe", { id });
    await peer.call("task.subscribe", { id });
    const { error } = await peer.ask("task.subscribe", { id });
    expect(error).toMatchObject({ code: -32006, data: { code: "quota-exceeded", quota: 2 } });
    await peer.call("task.unsubscribe", { subscription });
    await peer.call("task.subscribe", { id });
  });
});

describe("history that is longer than a reader is given at once", () => {
  test("ends as lagged, and cursor by cursor the reader gets all of it once", async () => {
    await using rig = await GatewayRig.start();
    const peer = await rig.connect();
    const { id } = await rig.fake.service.submit({ definition: "greet" });
    for (let count = 0; count < 40; count += 1) {
      rig.fake.append(id, "note", { text: "x".repeat(100_000) });
    }
    rig.fake.end(id, "succeeded");
    let after: unknown = "0";
    let rounds = 0;
    for (let reason = "lagged"; reason === "lagged"; rounds += 1) {
      const { subscription } = await peer.call("task.subscribe", { id, after });
      const { params } = await peer.message(
        ({ method, params }) =>
          method === "subscription.end" && params?.["subscription"] === subscription,
      );
      reason = String(params?.["reason"]);
      after = params?.["cursor"];
    }
    expect(rounds).toBeGreaterThanOrEqual(4);
    expect(seqs(peer.messages)).toEqual(Array.from({ length: 42 }, (_, index) => index + 1));
  });

  test("is read no further, though the reply that the end waits for is long in coming", async () => {
    const closed = Promise.withResolvers<void>();
    const event = { task: "t", type: "x", at: 0, data: { text: "x".repeat(900_000) } };
    const subscribe: Service["subscribe"] = async (_params, subscriber) => {
      setImmediate(() => {
        for (const seq of [1, 2]) subscriber.event({ ...event, seq });
      });
      return { id: "s1", close: () => closed.resolve() };
    };
    const held = Promise.withResolvers<never>();
    const result: Service["result"] = () => held.promise;
    await using rig = await GatewayRig.start({}, new FakeService({ subscribe, result }));
    const peer = await rig.connect();
    peer.send([
      { jsonrpc: "2.0", id: 1, method: "task.subscribe", params: { id: "t" } },
      { jsonrpc: "2.0", id: 2, method: "task.result", params: { id: "t" } },
    ]);
    await closed.promise;
    held.reject(new KantokuError("not-found", "gone"));
    const { params } = await peer.message(({ method }) => method === "subscription.end");
    expect(params).toEqual({ subscription: "s1", reason: "lagged", cursor: "1" });
    expect(seqs(peer.messages)).toEqual([1]);
  });
});

test("a service that speaks after the end is not heard", async () => {
  let subscriber: Subscriber | undefined;
  const subscribe: Service["subscribe"] = async (_params, given) => {
    subscriber = given;
    return { id: "s1", close: () => {} };
  };
  await using rig = await GatewayRig.start({}, new FakeService({ subscribe }));
  const peer = await rig.connect();
  await peer.call("task.subscribe", { id: "t" });
  subscriber?.end("deleted");
  subscriber?.event({ task: "t", seq: 1, type: "x", at: 0, data: {} });
  subscriber?.progress({ task: "t", progress: 1 });
  subscriber?.end("ended");
  await peer.call("session.ping");
  expect(peer.messages.flatMap(({ method }) => method ?? [])).toEqual(["subscription.end"]);
});
