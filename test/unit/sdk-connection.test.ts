import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { type ConnectOptions, connect } from "../../sdk/client/connect.ts";
import type { Kantoku } from "../../sdk/client/kantoku.ts";
import { limits } from "../../sdk/protocol/limits.ts";
import { ManualClock, settle } from "../support/manual-clock.ts";
import { noReply, PeerError, RpcPeer } from "../support/rpc-peer.ts";

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanups.splice(0).reverse()) await cleanUp();
});

async function peerWith(handlers: Parameters<typeof RpcPeer.start>[0] = {}): Promise<RpcPeer> {
  const peer = await RpcPeer.start(handlers);
  cleanups.push(() => peer[Symbol.asyncDispose]());
  return peer;
}

async function clientOf(
  peers: RpcPeer | readonly RpcPeer[],
  options: ConnectOptions = {},
): Promise<Kantoku> {
  const urls = [peers].flat().map(({ url }) => url);
  const kantoku = await connect(urls, { random: () => 0, ...options });
  cleanups.push(() => kantoku.close());
  return kantoku;
}

const call = { definition: "x", input: { n: 1 } };

describe("connect", () => {
  test("opens a session that batches, with the credentials given, at /rpc", async () => {
    const peer = await peerWith();
    await clientOf(peer, { clientId: "me", clientSecret: "psst", namespace: "n" });
    expect(peer.of("session.open")[0]?.params).toEqual({
      batching: true,
      clientId: "me",
      clientSecret: "psst",
      namespace: "n",
    });
  });

  test("rejects at once where the credentials are refused", async () => {
    const peer = await peerWith({
      "session.open": () => {
        throw new PeerError(-32001);
      },
    });
    await expect(connect(peer.url)).rejects.toMatchObject({ code: "unauthenticated" });
    expect(peer.connectionCount).toBe(1);
  });

  test("gives up after its timeout where nobody listens", async () => {
    const port = await freePort();
    const clock = new ManualClock();
    const connected = connect(`ws://127.0.0.1:${port}`, { clock });
    const failure = expect(connected).rejects.toMatchObject({ code: "deadline-exceeded" });
    await clock.advance(10_000);
    await failure;
    expect(clock.timerCount).toBe(0);
  });

  test("says why where nobody listens, and where the upgrade is refused", async () => {
    const silent = `ws://127.0.0.1:${await freePort()}/rpc`;
    const closed = await doorThatSays(403, "This gateway answers to localhost only\nGo away");
    const clock = new ManualClock();
    const failure = connect([silent, closed], { clock, random: () => 0 }).catch((it) => it);
    await untilTrue(() => clock.nextDueInMs === 0);
    await clock.advance(0);
    await untilTrue(() => clock.nextDueInMs === 0);
    await clock.advance(10_000);
    expect(await failure).toMatchObject({
      code: "deadline-exceeded",
      message: `no session at ${silent}, ${closed} in 10000 ms: connect ECONNREFUSED ${new URL(silent).host}; 403 This gateway answers to localhost only`,
      cause: { code: "ECONNREFUSED" },
    });
  });

  test("says why where sessions are refused for now", async () => {
    const peer = await peerWith({
      "session.open": () => {
        throw new PeerError(-32009);
      },
    });
    const clock = new ManualClock();
    const failure = connect(peer.url, { clock, random: () => 0 }).catch((it) => it);
    await untilTrue(() => clock.nextDueInMs === 0);
    await clock.advance(10_000);
    expect(await failure).toMatchObject({
      message: `no session at ${peer.url} in 10000 ms: error -32009`,
      cause: { code: "busy" },
    });
  });

  test("goes on to the next URL", async () => {
    const peer = await peerWith();
    const kantoku = await connect([`http://127.0.0.1:${await freePort()}`, peer.url], {
      random: () => 0,
    });
    cleanups.push(() => kantoku.close());
    expect(peer.connectionCount).toBe(1);
  });

  test.each(["", "127.0.0.1:7400", "ftp://x", "no url"])("refuses %j", async (url) => {
    await expect(connect(url)).rejects.toMatchObject({
      code: "invalid-params",
      message: expect.stringContaining("write one like ws://127.0.0.1:7400"),
    });
  });
});

describe("calls", () => {
  test("of one tick travel together, 100 a frame", async () => {
    const peer = await peerWith({ "task.submit": () => ({ id: "t", created: true }) });
    const kantoku = await clientOf(peer);
    await Promise.all(Array.from({ length: 250 }, () => kantoku.submit(call)));
    const sizes = peer.frames.slice(1).map((frame) => (frame as unknown[]).length);
    expect(sizes).toEqual([100, 100, 50]);
    const keys = peer.of("task.submit").map(({ params }) => params["idempotencyKey"]);
    expect(new Set(keys).size).toBe(250);
    expect(keys).toEqual(keys.toSorted());
  });

  test("never make a frame of more than 1 MiB", async () => {
    const peer = await peerWith({ "task.submit": () => ({ id: "t", created: true }) });
    const kantoku = await clientOf(peer);
    const input = "é".repeat(limits.payloadBytesMax / 2 - 10);
    await Promise.all(Array.from({ length: 9 }, () => kantoku.submit({ definition: "x", input })));
    const frames = peer.frames.slice(1);
    expect(frames.length).toBeGreaterThan(2);
    for (const frame of frames) {
      expect(Buffer.byteLength(JSON.stringify(frame))).toBeLessThan(limits.frameToServerBytesMax);
    }
  });

  test("with what JSON would change are refused before they leave", async () => {
    const peer = await peerWith();
    const kantoku = await clientOf(peer);
    await expect(
      kantoku.submit({ definition: "x", input: { n: Number.NaN } }),
    ).rejects.toMatchObject({ code: "invalid-params", data: { path: "input.n" } });
    const long = { definition: "x".repeat(2 ** 20) };
    await expect(kantoku.submit(long)).rejects.toMatchObject({ code: "too-large" });
    expect(peer.calls).toHaveLength(1);
  });

  test("that fail carry the code of data before that of the number", async () => {
    const answers = [
      new PeerError(-32004, { task: "t" }),
      new PeerError(-32000, { code: "mismatch" }),
      new PeerError(-32050, { code: "made-up" }),
    ];
    const peer = await peerWith({
      "task.submit": () => {
        throw answers.shift();
      },
    });
    const kantoku = await clientOf(peer);
    await expect(kantoku.submit(call)).rejects.toMatchObject({
      code: "conflict",
      data: { task: "t" },
    });
    await expect(kantoku.submit(call)).rejects.toMatchObject({ code: "mismatch" });
    await expect(kantoku.submit(call)).rejects.toMatchObject({ code: "generic" });
  });

  test("keep within the server's window, and those that wait leave room for the short", async () => {
    const peer = await peerWith({
      "session.open": () => ({ limits: { inFlightCallsMax: 10 } }),
      "task.result": () => noReply,
      "task.submit": () => noReply,
    });
    const kantoku = await clientOf(peer);
    for (let n = 0; n < 20; n++) {
      kantoku
        .handle("t")
        .result()
        .catch(() => undefined);
    }
    for (let n = 0; n < 5; n++) kantoku.submit(call).catch(() => undefined);
    await peer.call("task.result", 5);
    expect(peer.of("task.submit")).toHaveLength(5);
    for (const submit of peer.of("task.submit")) peer.answer(submit, { id: "t", created: true });
    await peer.call("task.result", 8);
    const [result] = peer.of("task.result");
    if (result) peer.answer(result, { id: "t", status: "succeeded", output: 1 });
    await peer.call("task.result", 9);
    expect(peer.of("task.result")).toHaveLength(9);
  });

  test("that run a task submit it at once where there is no room to wait, and wait later", async () => {
    const peer = await peerWith({
      "session.open": () => ({ limits: { inFlightCallsMax: 10 } }),
      "task.run": () => noReply,
      "task.submit": ({ params }) => {
        const { input } = params;
        return { id: input, status: input === "known" ? "succeeded" : "ready", created: true };
      },
      "task.result": () => noReply,
    });
    const kantoku = await clientOf(peer);
    const run = (input: string) =>
      kantoku.run<string>({ definition: "x", input }, { idempotencyKey: `key-${input}` });
    const first = Array.from({ length: 8 }, (_, n) => run(`first-${n}`));
    const more = ["a", "known", "b"].map(run);
    await Promise.all([peer.call("task.submit", 3), peer.call("task.run", 8)]);
    expect(peer.of("task.run")).toHaveLength(8);
    expect(peer.of("task.submit").map(({ params }) => params)).toEqual(
      ["a", "known", "b"].map((input) => ({
        definition: "x",
        input,
        idempotencyKey: `key-${input}`,
      })),
    );
    // Whoever waits among many waits for a short time, so that those behind have their turn.
    expect(peer.of("task.run").map(({ params }) => params["waitMs"])).toEqual([
      ...Array(4).fill(60_000),
      ...Array(4).fill(2_000),
    ]);
    const output = (id: unknown) => ({ id, status: "succeeded", output: `${id}!` });
    peer.handlers["task.result"] = ({ params }) => {
      expect(params["waitMs"]).toBeLessThanOrEqual(2_000);
      return output(params["id"]);
    };
    for (const call of peer.of("task.run")) peer.answer(call, output(call.params["input"]));
    expect(await Promise.all(more)).toEqual(["a!", "known!", "b!"]);
    expect((await Promise.all(first))[7]).toBe("first-7!");
    const late = run("late");
    peer.answer(await peer.call("task.run", 9), output("late"));
    expect(await late).toBe("late!");
    expect(peer.of("task.run")[8]?.params["waitMs"]).toBe(60_000);
  });
});

describe("a lost socket", () => {
  test("loses no call: each goes out again, in order, under its key", async () => {
    const peer = await peerWith({
      "task.submit": ({ connection, params }) =>
        connection === 1 ? noReply : { id: params["input"], created: true },
    });
    const kantoku = await clientOf(peer);
    const handles = Promise.all(
      ["a", "b", "c"].map((input) => kantoku.submit({ definition: "x", input })),
    );
    await peer.call("task.submit", 3);
    peer.cut();
    expect((await handles).map(({ id }) => id)).toEqual(["a", "b", "c"]);
    const [first, second] = [1, 2].map((connection) =>
      peer.of("task.submit").filter((sent) => sent.connection === connection),
    );
    expect(second?.map(({ params }) => params)).toEqual(first?.map(({ params }) => params));
  });

  test("holds calls back until there is another, and no more than 10,000", async () => {
    const peer = await peerWith({ "task.submit": () => ({ id: "t", created: true }) });
    const clock = new ManualClock();
    const kantoku = await clientOf(peer, { clock });
    peer.cut();
    await untilTrue(() => clock.nextDueInMs === 0);
    const held = Array.from({ length: 10_000 }, () => kantoku.submit(call));
    await expect(kantoku.submit(call)).rejects.toMatchObject({ code: "busy" });
    await clock.advance(0);
    await Promise.all(held);
    expect(peer.of("task.submit")).toHaveLength(10_000);
  });

  test.each([
    ["text that is no JSON", "}{"],
    ["half a message", '{"jsonrpc":"2.0","id":2,"res'],
    ["a bare number", "42"],
    ["a binary frame", Buffer.from([1, 2, 3])],
  ])("is made of one that delivers %s", async (_, garbage) => {
    const peer = await peerWith({
      "task.submit": ({ connection }) => (connection === 1 ? noReply : { id: "t", created: true }),
    });
    const kantoku = await clientOf(peer);
    const submitted = kantoku.submit(call);
    await peer.call("task.submit");
    peer.sendRaw(garbage);
    expect((await submitted).id).toBe("t");
    expect(peer.connectionCount).toBe(2);
  });

  test("is not made of messages that answer nothing", async () => {
    const peer = await peerWith({ "task.submit": () => noReply });
    const kantoku = await clientOf(peer);
    const submitted = kantoku.submit(call);
    const sent = await peer.call("task.submit");
    peer.send([
      7,
      null,
      {},
      { id: "odd", result: 1 },
      { id: 99_999, result: 1 },
      { method: "new" },
    ]);
    peer.answer(sent, { id: "first", created: true });
    peer.answer(sent, { id: "second", created: false });
    expect((await submitted).id).toBe("first");
    peer.handlers["task.get"] = () => ({ id: "first", status: "ready" });
    await expect(kantoku.get("first")).resolves.toMatchObject({ status: "ready" });
    expect(peer.connectionCount).toBe(1);
  });

  test("is made of an error that names no call", async () => {
    const peer = await peerWith({
      "task.submit": ({ connection }) => (connection === 1 ? noReply : { id: "t", created: true }),
    });
    const kantoku = await clientOf(peer);
    const submitted = kantoku.submit(call);
    await peer.call("task.submit");
    peer.send({ jsonrpc: "2.0", id: null, error: { code: -32700, message: "Parse error" } });
    expect((await submitted).id).toBe("t");
  });

  test("is noticed when the peer has vanished without a word", async () => {
    const clock = new ManualClock();
    const peer = await peerWith({
      "session.ping": ({ connection }) => (connection === 1 ? noReply : {}),
      "task.submit": ({ connection }) => (connection === 1 ? noReply : { id: "t", created: true }),
    });
    const kantoku = await clientOf(peer, { clock });
    const submitted = kantoku.submit(call);
    await peer.call("task.submit");
    await clock.advance(15_000);
    await peer.call("session.ping");
    await clock.advance(5_000);
    expect((await submitted).id).toBe("t");
    expect(peer.connectionCount).toBe(2);
  });

  test("is not made of one whose peer answers pings", async () => {
    const clock = new ManualClock();
    const peer = await peerWith({ "task.get": () => ({ id: "t" }) });
    const kantoku = await clientOf(peer, { clock });
    await clock.advance(15_000);
    await peer.call("session.ping");
    await kantoku.get("t");
    await clock.advance(5_000);
    await kantoku.get("t");
    expect(peer.connectionCount).toBe(1);
  });
});

describe("a server that goes away", () => {
  test("is left for the next, with what it did not answer", async () => {
    const leaving = await peerWith({ "task.submit": () => noReply });
    const staying = await peerWith({ "task.submit": () => ({ id: "there", created: true }) });
    const kantoku = await clientOf([leaving, staying]);
    const submitted = kantoku.submit(call);
    await leaving.call("task.submit");
    leaving.notify("server.shutdown", { reconnectMs: 100 });
    expect((await submitted).id).toBe("there");
  });

  test("is left for the next when it answers that it shuts down", async () => {
    const leaving = await peerWith({
      "task.submit": () => {
        throw new PeerError(-32012);
      },
    });
    const staying = await peerWith({ "task.submit": () => ({ id: "there", created: true }) });
    const kantoku = await clientOf([leaving, staying]);
    expect((await kantoku.submit(call)).id).toBe("there");
  });

  test.each([
    [4401, "unauthenticated"],
    [4403, "forbidden"],
  ])("for good with close code %i ends the client", async (code, reason) => {
    const peer = await peerWith({ "task.submit": () => noReply });
    const kantoku = await clientOf(peer);
    const submitted = kantoku.submit(call);
    await peer.call("task.submit");
    peer.closeSocket(code);
    await expect(submitted).rejects.toMatchObject({ code: reason });
    await expect(kantoku.submit(call)).rejects.toMatchObject({ code: "shutting-down" });
  });

  test("is tried again ever more slowly while it only opens sessions", async () => {
    const clock = new ManualClock();
    const peer = await peerWith({
      "task.submit": () => {
        throw new PeerError(-32012);
      },
    });
    const kantoku = await clientOf(peer, { clock, random: () => 1 });
    kantoku.submit(call).catch(() => undefined);
    const rests: number[] = [];
    for (let count = 1; count <= 5; count++) {
      await peer.call("task.submit", count);
      await untilTrue(() => clock.nextDueInMs < 15_000 - 1 && clock.nextDueInMs !== 10_000);
      rests.push(clock.nextDueInMs);
      await clock.advance(clock.nextDueInMs);
    }
    expect(rests).toEqual([50, 100, 200, 400, 800]);
  });
});

describe("close", () => {
  test("rejects what is unanswered, and what comes after", async () => {
    const peer = await peerWith({ "task.submit": () => noReply });
    const kantoku = await clientOf(peer);
    const submitted = kantoku.submit(call);
    const { params } = await peer.call("task.submit");
    const { idempotencyKey } = params as { readonly idempotencyKey: string };
    const refused = expect(submitted).rejects.toMatchObject({
      code: "shutting-down",
      data: { idempotencyKey },
    });
    await kantoku.close();
    await refused;
    await expect(kantoku.get("t")).rejects.toMatchObject({ code: "shutting-down" });
  });
});

/** The URL of a server that answers every request and every upgrade alike. */
async function doorThatSays(status: number, text: string): Promise<string> {
  const server = createHttpServer((_request, response) => response.writeHead(status).end(text));
  server.on("upgrade", (_request, socket) => {
    socket.on("error", () => {});
    socket.end(`HTTP/1.1 ${status} No\r\nConnection: close\r\n\r\n${text}`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/rpc`;
}

async function untilTrue(look: () => boolean): Promise<void> {
  while (!look()) await settle();
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return address.port;
}
