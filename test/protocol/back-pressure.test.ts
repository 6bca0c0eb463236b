import { describe, expect, test } from "vitest";
import type { Bounds } from "../../gateway/bounds.ts";
import type { Service, WorkerPort } from "../../sdk/protocol/service.ts";
import { FakeService } from "../support/fake-service.ts";
import { GatewayRig } from "../support/gateway-rig.ts";
import { frame, RawWebSocket } from "../support/raw-web-socket.ts";

const MiB = 1024 * 1024;
const call = (id: number, method: string, params?: object) =>
  frame(JSON.stringify({ jsonrpc: "2.0", id, method, params }));

const registered = { worker: "w1", leaseMs: 1, heartbeatMs: 1, keep: [], drop: [] };

function assignment(index: number, input: unknown) {
  return {
    task: `t${index}`,
    attempt: 1,
    token: `t${index}.1`,
    definition: "greet",
    version: "1",
    input,
    idempotencyKey: `t${index}`,
    journal: [],
    root: `t${index}`,
    labels: {},
    metadata: {},
  };
}

describe("a reader that does not read", () => {
  test("loses its subscription with a cursor, memory stays flat, others get everything", async () => {
    await using rig = await GatewayRig.start();
    const { id } = await rig.fake.service.submit({ definition: "greet" });
    await using deaf = await RawWebSocket.open(rig.gateway.address.port);
    deaf.stream.write(call(1, "task.subscribe", { id }));
    await deaf.until(() => deaf.text.includes('"task.event"'));
    deaf.stream.pause();
    const reader = await rig.connect();
    await reader.call("task.subscribe", { id });
    expect(rig.fake.find({ id }).subscribers.size).toBe(2);

    const memoryBefore = process.memoryUsage().rss;
    const text = "x".repeat(64 * 1024);
    // 192 MiB flowed into one socket's buffer when nothing stood in the way.
    for (let count = 1; count <= 3000; count += 1) {
      rig.fake.append(id, "note", { text: count % 10 === 0 ? text : "short" });
      rig.fake.find({ id }).journal.splice(1, 1, { seq: 2, type: "note", at: 0, data: {} });
      if (count % 10 === 0) await reader.call("session.ping");
    }
    expect(rig.fake.find({ id }).subscribers.size).toBe(1);
    expect(reader.messages.filter(({ method }) => method === "task.event")).toHaveLength(3001);
    expect(process.memoryUsage().rss - memoryBefore).toBeLessThan(256 * MiB);

    deaf.stream.resume();
    await deaf.until(() => deaf.text.includes('"reason":"lagged"'));
    const [, cursor = ""] = /"reason":"lagged","cursor":"(\d+)"/.exec(deaf.text) ?? [];
    const seqs = [...deaf.text.matchAll(/"seq":(\d+)/g)].map(([, seq]) => Number(seq));
    expect(seqs.at(-1)).toBe(Number(cursor));
    expect(seqs).toEqual(Array.from({ length: Number(cursor) }, (_, index) => index + 1));
  });

  test("is closed with 4408 after 10 s in which it took too little", async () => {
    const { rig, deaf } = await startDeafReader();
    await using _rig = rig;
    await using _deaf = deaf;
    rig.clock.advance(1_000);
    rig.clock.advance(9_000);
    expect(rig.log).toEqual([]);
    rig.clock.advance(1_000);
    expect(rig.log).toMatchObject([{ level: "warn", message: "a reader does not read" }]);
    deaf.stream.resume();
    await deaf.until(() => deaf.text.includes("messages were not read in time"));
    expect(deaf.text).toContain(`${String.fromCharCode(4408 >> 8, 4408 & 0xff)}messages`);
  });

  test("is cut when it does not even take the close", async () => {
    const { rig, deaf } = await startDeafReader();
    await using _rig = rig;
    await using _deaf = deaf;
    rig.clock.advance(11_000);
    expect(rig.log).toHaveLength(1);
    rig.clock.advance(2_000);
    deaf.stream.resume();
    await expect(deaf.until(() => deaf.text.includes("not read in time"))).rejects.toThrow();
  });

  test("that asks for more than 8 MiB is told busy instead of being sent it", async () => {
    const big = Array.from({ length: 30 }, () => ({ text: "x".repeat(100_000) }));
    const events: Service["events"] = async () => ({
      events: big.map((data, index) => ({ seq: index + 1, type: "note", at: 0, data })),
    });
    await using rig = await GatewayRig.start({}, new FakeService({ events }));
    await using deaf = await RawWebSocket.open(rig.gateway.address.port);
    deaf.stream.pause();
    for (let id = 0; id < 20; id += 1) deaf.stream.write(call(id, "task.events", { id: "t" }));
    const neighbour = await rig.connect();
    for (let round = 0; round < 20; round += 1) await neighbour.call("session.ping");
    deaf.stream.resume();
    await deaf.until(() => countOf(deaf.text, '"jsonrpc"') === 20);
    expect(countOf(deaf.text, '"code":-32009')).toBeGreaterThan(5);
    expect(rig.log).toEqual([]);
  });

  test("is closed at once when 8 MiB wait that it must be sent", async () => {
    const bounds = { waitingBytesMax: 1 * MiB, behindBytesMax: 16 * MiB };
    const { rig, deaf } = await startDeafReader(bounds);
    await using _rig = rig;
    await using _deaf = deaf;
    expect(rig.log).toMatchObject([{ message: "a reader does not read" }]);
  });
});

describe("hundreds of large assignments at once", () => {
  test("all reach a worker that reads, in order", async () => {
    let port: WorkerPort | undefined;
    const registerWorker: Service["registerWorker"] = async (_params, given) => {
      port = given;
      return { registered, detach: () => {} };
    };
    await using rig = await GatewayRig.start({}, new FakeService({ registerWorker }));
    const worker = await rig.connect();
    const registration = { instance: "i", definitions: [{ name: "greet" }], slots: 200 };
    await worker.call("worker.register", registration);
    const input = "x".repeat(200_000);
    // 40 MB in one tick, five times of what may wait for a reader.
    for (let index = 0; index < 200; index += 1) port?.assign(assignment(index, input));
    port?.cancel({ token: "t0.1", reason: "last", graceMs: 1 });
    await worker.until((frames) => frames.length === 202);
    const messages = worker.messages.slice(1);
    expect(messages.map(({ params }) => params?.["token"])).toEqual([
      ...Array.from({ length: 200 }, (_, index) => `t${index}.1`),
      "t0.1",
    ]);
    expect(rig.log).toEqual([]);
  });
});

/** A peer that subscribes again and again and reads nothing, until the system's buffers are full. */
async function startDeafReader(bounds: Partial<Bounds> = {}) {
  let asked = Promise.withResolvers<void>();
  // A MiB of history for each subscription.
  const subscribe: Service["subscribe"] = async (_params, subscriber) => {
    for (let seq = 1; seq <= 20; seq += 1) {
      const data = { chunk: "x".repeat(MiB / 20) };
      subscriber.event({ task: "t", seq, type: "note", at: 0, data });
    }
    asked.resolve();
    return { id: crypto.randomUUID(), close: () => {} };
  };
  const rig = await GatewayRig.start({ bounds }, new FakeService({ subscribe }));
  const deaf = await RawWebSocket.open(rig.gateway.address.port);
  deaf.stream.pause();
  const neighbour = await rig.connect();
  for (let id = 1; id <= 24 && rig.log.length === 0; id += 1) {
    asked = Promise.withResolvers();
    deaf.stream.write(call(id, "task.subscribe", { id: "t" }));
    await asked.promise;
    await neighbour.call("session.ping");
  }
  return { rig, deaf };
}

function countOf(text: string, part: string): number {
  return text.split(part).length - 1;
}
