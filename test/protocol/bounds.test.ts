import { connect } from "node:net";
import { expect, test } from "vitest";
import type { Listener, Service } from "../../sdk/protocol/service.ts";
import { GatewayRig } from "../support/gateway-rig.ts";

const registration = { instance: "i", slots: 1, definitions: [{ name: "greet" }] };

/** A wait without end, and how often its listener has gone. */
function endlessWaits(service: Service): { begun: number; gone: number } {
  const seen = { begun: 0, gone: 0 };
  const result = (_: unknown, listener?: Listener) => {
    seen.begun += 1;
    listener?.whenGone(() => {
      seen.gone += 1;
    });
    return new Promise(() => {});
  };
  Object.assign(service, { result });
  return seen;
}

test("workers that register all at once are no more than a connection may hold", async () => {
  await using rig = await GatewayRig.start({ bounds: { workersMax: 3 } });
  const peer = await rig.connect();
  const asked = Array.from({ length: 10 }, (_, n) =>
    peer.call("worker.register", { ...registration, instance: `i${n}` }).catch(() => null),
  );
  const answers = await Promise.all(asked);
  expect(answers.filter((answer) => answer !== null)).toHaveLength(3);
});

test("subscriptions that are asked for all at once are no more than a connection may hold", async () => {
  await using rig = await GatewayRig.start({ bounds: { subscriptionsMax: 3 } });
  const peer = await rig.connect();
  const { id } = await rig.fake.service.submit({ definition: "greet" });
  const asked = Array.from({ length: 10 }, () =>
    peer.call("task.subscribe", { id }).catch(() => null),
  );
  const answers = await Promise.all(asked);
  expect(answers.filter((answer) => answer !== null)).toHaveLength(3);
});

test("waits end with the connection that they were for", async () => {
  await using rig = await GatewayRig.start();
  const seen = endlessWaits(rig.fake.service);
  const { id } = await rig.fake.service.submit({ definition: "greet" });
  const peer = await rig.connect();
  for (let n = 0; n < 5; n += 1) {
    peer.send({ jsonrpc: "2.0", id: n, method: "task.result", params: { id } });
  }
  await expect.poll(() => seen.begun).toBe(5);
  await peer.close();
  await expect.poll(() => seen.gone).toBe(5);
});

test("a connection sends no more than a hundred POSTs ahead of their answers", async () => {
  await using rig = await GatewayRig.start();
  const seen = endlessWaits(rig.fake.service);
  const { id } = await rig.fake.service.submit({ definition: "greet" });
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "task.result", params: { id } });
  const { port } = rig.gateway.address;
  const head = `POST /rpc HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  for (let n = 0; n < 150; n += 1) socket.write(head + body);
  await expect.poll(() => seen.begun).toBe(100);
  socket.destroy();
  await expect.poll(() => seen.gone).toBe(100);
  expect(seen.begun).toBe(100);
});

test.each([
  ["task.events", { after: 2 ** 31 }],
  ["task.subscribe", { after: 2 ** 31 }],
  ["task.subscribe", { after: "9999999999" }],
])("%s refuses a place that no journal has", async (method, params) => {
  await using rig = await GatewayRig.start();
  const peer = await rig.connect();
  const { id } = await rig.fake.service.submit({ definition: "greet" });
  await expect(peer.call(method, { id, ...params })).rejects.toThrow("-32602");
});

test("more labels than can be kept are refused before each is looked at", async () => {
  await using rig = await GatewayRig.start();
  const peer = await rig.connect();
  const labels = Object.fromEntries(Array.from({ length: 90_000 }, (_, index) => [index, 1]));
  const submitting = peer.call("task.submit", { definition: "greet", labels });
  await expect(submitting).rejects.toThrow("labels: has too many");
});

/** Lists, or what else stands in for them, that end when the test says so. */
function heldLists(service: Service): { begun: number; end(): void } {
  const held: (() => void)[] = [];
  const seen = {
    begun: 0,
    end: () => {
      for (const end of held.splice(0)) end();
    },
  };
  const answer = { tasks: [], id: "s", close: () => {} };
  const list = () => {
    seen.begun += 1;
    return new Promise((resolve) => held.push(() => resolve({ ...answer })));
  };
  Object.assign(service, { list });
  return seen;
}

const lists = (count: number) =>
  Array.from({ length: count }, (_, id) => ({ jsonrpc: "2.0", id, method: "task.list" }));

test("of the large reads of a connection a few run at once, and nothing else waits for them", async () => {
  await using rig = await GatewayRig.start({ bounds: { gatewayReadsMax: 3, readsMax: 2 } });
  const seen = heldLists(rig.fake.service);
  const peer = await rig.connect();
  const asked = Array.from({ length: 5 }, () => peer.call("task.list"));
  const { id } = await peer.call("task.submit", { definition: "greet" });
  await peer.call("task.get", { id });
  expect(seen.begun).toBe(2);
  const other = await rig.connect();
  const others = other.call("task.list");
  await expect.poll(() => seen.begun).toBe(3);
  for (const begun of [3 + 2, 3 + 3]) {
    seen.end();
    await expect.poll(() => seen.begun).toBe(begun);
  }
  seen.end();
  await Promise.all([...asked, others]);
});

test("of the large reads of all connections a few run at once, and POSTs are among them", async () => {
  await using rig = await GatewayRig.start({ bounds: { gatewayReadsMax: 2, readsMax: 1 } });
  const seen = heldLists(rig.fake.service);
  const peers = await Promise.all(Array.from({ length: 5 }, () => rig.connect()));
  const asked = peers.map((peer) => peer.call("task.list"));
  const posted = rig.post(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "task.list" }));
  const polite = await rig.connect();
  const { id } = await polite.call("task.submit", { definition: "greet" });
  await polite.call("task.get", { id });
  expect(seen.begun).toBe(2);
  for (const begun of [4, 6]) {
    seen.end();
    await expect.poll(() => seen.begun).toBe(begun);
  }
  seen.end();
  await Promise.all([...asked, posted]);
});

async function endAndBeginAll(seen: { end(): void }): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) {
    seen.end();
    await new Promise<void>((resolve) => void setImmediate(resolve));
  }
}

test("reads that have not begun never do once their connection has ended", async () => {
  await using rig = await GatewayRig.start({ bounds: { readsMax: 2 } });
  const seen = heldLists(rig.fake.service);
  const waits = endlessWaits(rig.fake.service);
  const peer = await rig.connect();
  for (const message of lists(50)) peer.send(message);
  peer.send({ jsonrpc: "2.0", id: "wait", method: "task.result", params: { id: "t" } });
  await peer.call("session.ping");
  await peer.close();
  await expect.poll(() => waits.gone).toBe(1);
  await endAndBeginAll(seen);
  expect(seen.begun).toBe(2);
});

test("nor once a reader is dropped that does not even answer the close", async () => {
  await using rig = await GatewayRig.start({ bounds: { readsMax: 2, waitingBytesMax: 1 } });
  const seen = heldLists(rig.fake.service);
  const peer = await rig.connect();
  peer.socket.pause();
  for (const message of lists(50)) peer.send(message);
  peer.send({ jsonrpc: "2.0", id: "last", method: "session.ping" });
  await expect.poll(() => rig.log).toMatchObject([{ message: "a reader does not read" }]);
  await endAndBeginAll(seen);
  expect(seen.begun).toBe(2);
});

test("a read that is overdue does not begin either", async () => {
  await using rig = await GatewayRig.start({ bounds: { readsMax: 2 } });
  const seen = heldLists(rig.fake.service);
  const peer = await rig.connect();
  const asked = Array.from({ length: 10 }, () => peer.ask("task.list"));
  await peer.call("session.ping");
  rig.clock.advance(30_000);
  for (const reply of asked) expect((await reply).error?.data["code"]).toBe("deadline-exceeded");
  await endAndBeginAll(seen);
  expect(seen.begun).toBe(2);
});

test("POSTs that share a connection share its reads", async () => {
  await using rig = await GatewayRig.start({ bounds: { readsMax: 2 } });
  const seen = heldLists(rig.fake.service);
  const { port } = rig.gateway.address;
  const post = (message: object) => {
    const body = JSON.stringify(message);
    return `POST /rpc HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  };
  const submitted = Promise.withResolvers<void>();
  Object.assign(rig.fake.service, {
    submit: async () => {
      submitted.resolve();
      return { id: "t", status: "ready", created: true };
    },
  });
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  for (const message of lists(10)) socket.write(post(message));
  const params = { definition: "greet" };
  socket.write(post({ jsonrpc: "2.0", id: 1, method: "task.submit", params }));
  await submitted.promise;
  expect(seen.begun).toBe(2);
  await endAndBeginAll(seen);
  expect(seen.begun).toBe(10);
  socket.destroy();
});

test("doctors stand in the line of large reads, one of all connections at once", async () => {
  await using rig = await GatewayRig.start({ bounds: { gatewayReadsMax: 2, readsMax: 1 } });
  const held = heldLists(rig.fake.service);
  Object.assign(rig.fake.service, { doctor: rig.fake.service.list });
  const peers = await Promise.all(Array.from({ length: 3 }, () => rig.connect()));
  const examined = peers.map((peer) => peer.call("system.doctor"));
  for (const peer of peers) await peer.call("session.ping");
  expect(held.begun).toBe(1);
  const [peer] = peers;
  const listed = peer?.call("task.list");
  await expect.poll(() => held.begun).toBe(2);
  for (const begun of [3, 4]) {
    held.end();
    await expect.poll(() => held.begun).toBe(begun);
  }
  held.end();
  await Promise.all([...examined, listed]);
});

test("a doctor learns that whoever asked for it has gone", async () => {
  await using rig = await GatewayRig.start();
  const begun = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  const doctor: Service["doctor"] = async (listener) => {
    listener?.whenGone(gone.resolve);
    begun.resolve();
    await gone.promise;
    return { findings: [] };
  };
  Object.assign(rig.fake.service, { doctor });
  const peer = await rig.connect();
  peer.send({ jsonrpc: "2.0", id: 1, method: "system.doctor" });
  await begun.promise;
  await peer.close();
  await gone.promise;
});

test.each([
  ["task.get", "get"],
  ["task.subscribe", "subscribe"],
])(
  "of all that call %s so few are read for at once, and large reads do not wait",
  async (method, read) => {
    const bounds = { gatewaySingleReadsMax: 3, singleReadsMax: 2 };
    await using rig = await GatewayRig.start({ bounds });
    const { id } = await rig.fake.service.submit({ definition: "greet" });
    const held = heldLists(rig.fake.service);
    Object.assign(rig.fake.service, { [read]: rig.fake.service.list });
    const peers = await Promise.all(Array.from({ length: 3 }, () => rig.connect()));
    const [first] = peers;
    const asked = peers.flatMap((peer) => [1, 2, 3].map(() => peer.ask(method, { id })));
    for (const peer of peers) await peer.call("session.ping");
    expect(held.begun).toBe(3);
    const listed = first?.call("task.list");
    await expect.poll(() => held.begun).toBe(4);
    await endAndBeginAll(held);
    expect(held.begun).toBe(10);
    await Promise.all([...asked, listed]);
  },
);
