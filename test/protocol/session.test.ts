import { describe, expect, test } from "vitest";
import { createGateway } from "../../gateway/index.ts";
import { isKantokuError } from "../../sdk/errors.ts";
import { limits } from "../../sdk/protocol/limits.ts";
import { FakeService } from "../support/fake-service.ts";
import { GatewayRig } from "../support/gateway-rig.ts";

describe("session.open", () => {
  test("is not needed, and without params says what holds anyway", async () => {
    await using rig = await GatewayRig.start();
    const peer = await rig.connect();
    const opened = await peer.call("session.open");
    expect(opened).toMatchObject({ client: null, namespace: "default" });
    expect(opened["session"]).toEqual(expect.any(String));
    expect(opened["limits"]).toEqual({
      ...limits,
      inFlightCallsMax: 1000,
      subscriptionsMax: 1000,
      workersMax: 100,
      pingMs: 20_000,
    });
  });

  test("takes credentials that nobody checks yet", async () => {
    await using rig = await GatewayRig.start();
    const peer = await rig.connect();
    const opened = await peer.call("session.open", { clientId: "a", clientSecret: "b" });
    expect(opened["client"]).toBeNull();
  });

  test("chooses the namespace, which every later call works in", async () => {
    const asked: string[] = [];
    const fake = new FakeService();
    const service = (namespace: string) => {
      asked.push(namespace);
      return fake.service;
    };
    await using rig = await GatewayRig.start({ service });
    const peer = await rig.connect();
    await peer.call("session.open", { namespace: "acme/eu" });
    await peer.call("task.list");
    const other = await rig.connect();
    await other.call("task.list");
    expect(asked).toEqual(["acme/eu", "default"]);
  });

  test("T18 a second namespace is a conflict, the same again is not", async () => {
    await using rig = await GatewayRig.start();
    const peer = await rig.connect();
    await peer.call("session.open", { namespace: "acme" });
    await peer.call("session.open", { namespace: "acme" });
    await peer.call("session.open", {});
    const { error } = await peer.ask("session.open", { namespace: "other" });
    expect(error).toMatchObject({ code: -32004, data: { code: "conflict", namespace: "acme" } });
  });

  test("comes too late for another namespace once something ran in the default one", async () => {
    await using rig = await GatewayRig.start();
    const peer = await rig.connect();
    await peer.call("session.ping");
    await peer.call("task.list");
    expect((await peer.ask("session.open", { namespace: "acme" })).error?.code).toBe(-32004);
  });

  test.each(["", "a b", "é", "a\u0000", "x".repeat(201), 5, null])(
    "refuses the namespace %j",
    async (namespace) => {
      await using rig = await GatewayRig.start();
      const peer = await rig.connect();
      const { error } = await peer.ask("session.open", { namespace });
      expect(error?.code).toBe(-32602);
      expect(error?.message).toContain("namespace");
    },
  );
});

describe("batching", () => {
  const ping = (id: number) => ({ jsonrpc: "2.0", id, method: "session.ping" });

  test("one tick's answers come as one array, also when it was said late", async () => {
    await using rig = await GatewayRig.start();
    const peer = await rig.connect();
    await peer.call("session.ping");
    await peer.call("session.open", { batching: true });
    peer.send([ping(1), ping(2), ping(3)]);
    await peer.until((frames) => frames.length === 3);
    expect(JSON.parse(peer.frames[2] ?? "")).toHaveLength(3);
  });

  test("a slow call holds up nobody else in its array", async () => {
    const slow = Promise.withResolvers<{ findings: [] }>();
    const fake = new FakeService({ doctor: () => slow.promise });
    await using rig = await GatewayRig.start({}, fake);
    const peer = await rig.connect();
    await peer.call("session.open", { batching: true });
    peer.send([{ jsonrpc: "2.0", id: 1, method: "system.doctor" }, ping(2), "not a message"]);
    await peer.until((frames) => frames.length === 2);
    expect(peer.messages.slice(1).map(({ id }) => id)).toEqual([null, 2]);
    slow.resolve({ findings: [] });
    await peer.message(({ id }) => id === 1);
  });

  test("arrays hold at most 100 messages", async () => {
    await using rig = await GatewayRig.start();
    const worker = await rig.connect();
    for (let index = 0; index < 250; index += 1) {
      await rig.fake.service.submit({ definition: "greet" });
    }
    await worker.call("session.open", { batching: true });
    const registration = { instance: "i", definitions: [{ name: "greet" }], slots: 250 };
    await worker.call("worker.register", registration);
    await worker.until(() => worker.messages.filter(({ method }) => method).length === 250);
    const sizes = worker.frames.slice(1).map((frame) => {
      const value: unknown = JSON.parse(frame);
      return Array.isArray(value) ? value.length : 1;
    });
    expect(Math.max(...sizes)).toBe(100);
  });

  test("can be taken back", async () => {
    await using rig = await GatewayRig.start();
    const peer = await rig.connect();
    await peer.call("session.open", { batching: true });
    await peer.call("session.open", { batching: false });
    peer.send(ping(1));
    peer.send(ping(2));
    await peer.until((frames) => frames.length === 4);
  });

  test("to a peer that did not ask, each message is a frame of its own", async () => {
    await using rig = await GatewayRig.start();
    const peer = await rig.connect();
    for (let id = 0; id < 50; id += 1) peer.send(ping(id));
    await peer.until((frames) => frames.length === 50);
    expect(peer.frames.every((frame) => frame.startsWith("{"))).toBe(true);
  });
});

describe("what is not served yet", () => {
  test.each([
    ["task.signal", { id: "x", name: "y" }, "Method not found"],
    ["task.subscribe", {}, "Filtered subscriptions are not served yet"],
    ["task.subscribe", { definition: "x" }, "Filtered subscriptions are not served yet"],
  ])("%s %j: -32601", async (method, params, message) => {
    await using rig = await GatewayRig.start();
    const peer = await rig.connect();
    const { error } = await peer.ask(method, params);
    expect(error).toMatchObject({ code: -32601, message, data: { code: "method-not-found" } });
  });
});

describe("listening", () => {
  test.each(["0.0.0.0", "::", "192.168.1.4", "example.com", "127.0.0.1.evil.com", ""])(
    "on %j is refused, and the error says why and what to do",
    async (host) => {
      const service = () => new FakeService().service;
      const failure: unknown = await createGateway({ service, host, port: 0 }).catch(
        (error: unknown) => error,
      );
      expect(isKantokuError(failure, "forbidden")).toBe(true);
      expect(String(failure)).toContain("knows no clients");
      expect(String(failure)).toContain("127.0.0.1");
    },
  );

  test("on a taken port fails, and leaves nothing behind", async () => {
    await using rig = await GatewayRig.start();
    const { port } = rig.gateway.address;
    const service = () => new FakeService().service;
    await expect(createGateway({ service, host: "127.0.0.1", port })).rejects.toMatchObject({
      code: "EADDRINUSE",
    });
  });

  test("on ::1 gives an address with brackets", async () => {
    const service = () => new FakeService().service;
    const gateway = await createGateway({ service, host: "::1", port: 0 }).catch(() => null);
    // A machine without IPv6 has nothing to show here.
    if (gateway === null) return;
    expect(gateway.address.url).toBe(`ws://[::1]:${gateway.address.port}/rpc`);
    await gateway.close();
  });
});
