import { describe, expect, test } from "vitest";
import { limits } from "../../sdk/protocol/limits.ts";
import { FakeService } from "../support/fake-service.ts";
import { GatewayRig } from "../support/gateway-rig.ts";
import { RawWebSocket, upgrade } from "../support/raw-web-socket.ts";

const ping = '{"jsonrpc":"2.0","id":1,"method":"session.ping"}';
const pong = { jsonrpc: "2.0", id: 1, result: {} };

describe("POST /rpc", () => {
  test.each([
    ["a call", ping, 200, pong],
    ["a batch", `[${ping}]`, 200, [pong]],
    ["bad JSON", "{", 200, { error: { code: -32700 } }],
    ["an unknown method", ping.replace("session.ping", "nope"), 200, { error: { code: -32601 } }],
  ])("%s", async (_name, body, status, expected) => {
    await using rig = await GatewayRig.start();
    const response = await rig.post(body);
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toMatchObject(expected);
  });

  test("notifications alone: 204", async () => {
    await using rig = await GatewayRig.start();
    const response = await rig.post('{"jsonrpc":"2.0","method":"session.ping"}');
    expect(response.status).toBe(204);
    expect(await response.text()).toBe("");
  });

  test("invalid UTF-8 is a parse error", async () => {
    await using rig = await GatewayRig.start();
    const response = await fetch(`${rig.httpUrl}/rpc`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: Uint8Array.of(0x22, 0xc3, 0x28, 0x22),
    });
    expect(await response.json()).toMatchObject({ id: null, error: { code: -32700 } });
  });

  test("a session is one request long: its namespace holds for its batch", async () => {
    const asked: string[] = [];
    const service = (namespace: string) => {
      asked.push(namespace);
      return new FakeService().service;
    };
    await using rig = await GatewayRig.start({ service });
    const open = { jsonrpc: "2.0", id: 1, method: "session.open", params: { namespace: "acme" } };
    const list = { jsonrpc: "2.0", id: 2, method: "task.list" };
    await rig.post(JSON.stringify([open, list]));
    await rig.post(JSON.stringify(list));
    expect(asked).toEqual(["acme", "default"]);
  });

  test.each([
    ["task.subscribe", { id: "t" }],
    ["task.unsubscribe", { subscription: "s" }],
    ["worker.register", { instance: "i", definitions: [], slots: 1 }],
  ])("%s needs a WebSocket, and says so", async (method, params) => {
    await using rig = await GatewayRig.start();
    const response = await rig.post(JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }));
    const { error } = (await response.json()) as { error: { code: number; message: string } };
    expect(error.code).toBe(-32600);
    expect(error.message).toContain("WebSocket");
  });

  test("exactly 1 MiB passes, one byte more is 413", async () => {
    await using rig = await GatewayRig.start();
    const fits = await rig.post(ping.padEnd(limits.frameToServerBytesMax, " "));
    expect(await fits.json()).toEqual(pong);
    const over = await rig.post(ping.padEnd(limits.frameToServerBytesMax + 1, " "));
    expect(over.status).toBe(413);
    expect(await over.json()).toMatchObject({ id: null, error: { code: -32007 } });
  });

  test.each([
    ["text/plain", 415],
    ["application/x-www-form-urlencoded", 415],
    ["application/jsonp", 415],
    ["application/json; charset=utf-8", 200],
    ["Application/JSON", 200],
  ])("content type %s: %i", async (type, status) => {
    await using rig = await GatewayRig.start();
    expect((await rig.post(ping, { "content-type": type })).status).toBe(status);
  });

  test.each([
    ["gzip", 415],
    ["identity, br", 415],
    ["identity", 200],
    ["Identity", 200],
    ["", 200],
  ])("content encoding %j: %i", async (encoding, status) => {
    await using rig = await GatewayRig.start();
    const response = await rig.post(ping, { "content-encoding": encoding });
    expect(response.status).toBe(status);
    if (status === 415) expect(await response.text()).toBe("Send the body without an encoding\n");
  });

  test("a peer that leaves before its answer troubles nobody", async () => {
    const asked = Promise.withResolvers<void>();
    const slow = Promise.withResolvers<{ findings: [] }>();
    const doctor = () => {
      asked.resolve();
      return slow.promise;
    };
    await using rig = await GatewayRig.start({}, new FakeService({ doctor }));
    const leaving = new AbortController();
    const response = fetch(`${rig.httpUrl}/rpc`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"jsonrpc":"2.0","id":1,"method":"system.doctor"}',
      signal: leaving.signal,
    });
    await asked.promise;
    leaving.abort();
    await expect(response).rejects.toThrow();
    slow.resolve({ findings: [] });
    expect(await (await rig.post(ping)).json()).toEqual(pong);
    expect(rig.log).toEqual([]);
  });
});

describe("other requests", () => {
  test.each([
    ["GET", "/rpc", 405],
    ["PUT", "/rpc", 405],
    ["OPTIONS", "/rpc", 405],
    ["GET", "/", 404],
    ["POST", "/", 404],
    ["POST", "/rpc/", 404],
    ["POST", "/healthz", 405],
  ])("%s %s: %i", async (method, path, status) => {
    await using rig = await GatewayRig.start();
    const response = await fetch(`${rig.httpUrl}${path}`, { method });
    expect(response.status).toBe(status);
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
  });

  test("headers beyond 16 KiB: 431", async () => {
    await using rig = await GatewayRig.start();
    await using raw = await RawWebSocket.connect(rig.gateway.address.port);
    raw.stream.write(upgrade({ "X-Long": "x".repeat(17 * 1024) }));
    await raw.until(() => raw.text.includes("\r\n\r\n"));
    expect(raw.text).toContain("HTTP/1.1 431 ");
  });
});

describe("health", () => {
  test("/healthz answers while the process can", async () => {
    await using rig = await GatewayRig.start({ ready: () => false });
    const response = await fetch(`${rig.httpUrl}/healthz`);
    expect([response.status, await response.json()]).toEqual([200, { status: "ok" }]);
  });

  test.each([
    ["yes", () => true, 200],
    ["no", () => false, 503],
    ["yes, later", async () => true, 200],
    ["an error", () => Promise.reject(new Error("no database")), 503],
  ])("/readyz: %s", async (_name, ready, status) => {
    await using rig = await GatewayRig.start({ ready });
    expect((await fetch(`${rig.httpUrl}/readyz`)).status).toBe(status);
  });
});

describe("web pages", () => {
  const allowedOrigins = ["https://console.example"];
  const doors: readonly (readonly [string, Record<string, string>, boolean])[] = [
    ["no origin", {}, true],
    ["a listed origin", { Origin: "https://console.example" }, true],
    ["another origin", { Origin: "https://evil.example" }, false],
    ["the listed origin over http", { Origin: "http://console.example" }, false],
    ["an origin below", { Origin: "https://a.console.example" }, false],
    ["an origin with the listed one in front", { Origin: "https://console.example.evil" }, false],
    ["a sandboxed page", { Origin: "null" }, false],
    ["the gateway's own address", { Origin: "http://127.0.0.1:7400" }, false],
    ["localhost", { Host: "localhost:7400" }, true],
    ["LOCALHOST", { Host: "LOCALHOST" }, true],
    ["127.0.0.2", { Host: "127.0.0.2:1" }, true],
    ["[::1]", { Host: "[::1]:7400" }, true],
    ["a name rebound to this machine", { Host: "evil.example:7400" }, false],
    ["a name that begins like an address", { Host: "127.0.0.1.evil.example" }, false],
    ["a name that begins like localhost", { Host: "localhost.evil.example" }, false],
    ["an address of a network", { Host: "192.168.0.9" }, false],
    ["an empty host", { Host: "" }, false],
  ];

  test.each(doors)("%s (upgrade)", async (_name, headers, isWelcome) => {
    await using rig = await GatewayRig.start({ allowedOrigins });
    await using raw = await RawWebSocket.connect(rig.gateway.address.port);
    raw.stream.write(upgrade(headers));
    await raw.until(() => raw.text.includes("\r\n\r\n"));
    expect(raw.text).toContain(isWelcome ? "HTTP/1.1 101 " : "HTTP/1.1 403 ");
  });

  test.each(doors)("%s (POST)", async (_name, headers, isWelcome) => {
    await using rig = await GatewayRig.start({ allowedOrigins });
    await using raw = await RawWebSocket.connect(rig.gateway.address.port);
    const all = {
      Host: "127.0.0.1",
      "Content-Type": "application/json",
      "Content-Length": String(ping.length),
      ...headers,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    raw.stream.write(`POST /rpc HTTP/1.1\r\n${lines.join("")}\r\n${ping}`);
    await raw.until(() => raw.text.includes("\r\n\r\n"));
    expect(raw.text).toContain(isWelcome ? "HTTP/1.1 200 " : "HTTP/1.1 403 ");
  });
});
