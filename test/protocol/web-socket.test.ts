import { describe, expect, test } from "vitest";
import { limits } from "../../sdk/protocol/limits.ts";
import { FakeService } from "../support/fake-service.ts";
import { GatewayRig } from "../support/gateway-rig.ts";
import { frame, opcodes, RawWebSocket, upgrade } from "../support/raw-web-socket.ts";
import { RpcSocket } from "../support/rpc-socket.ts";

const ping = '{"jsonrpc":"2.0","id":1,"method":"session.ping"}';
const pong = '{"jsonrpc":"2.0","id":1,"result":{}}';
const badUtf8 = Uint8Array.of(0x7b, 0xc3, 0x28, 0x7d);

describe("frames that no peer may send close the socket with the right code", () => {
  const { continuation, text, binary, close } = opcodes;
  const control = opcodes.ping;
  const cases: readonly (readonly [string, number, readonly Buffer[]])[] = [
    ["H1 unmasked", 1002, [frame(ping, { isMasked: false })]],
    ["H2 invalid UTF-8", 1007, [frame(badUtf8)]],
    [
      "H2 invalid UTF-8 over two fragments",
      1007,
      [
        frame(badUtf8.subarray(0, 2), { isLast: false }),
        frame(badUtf8.subarray(2), { opcode: continuation }),
      ],
    ],
    [
      "H2 invalid UTF-8 in a close reason",
      1007,
      [frame(Uint8Array.of(3, 232, 0xc3, 0x28), { opcode: close })],
    ],
    [
      "H3 a header that claims a byte too many",
      1009,
      [frame("", { claimedLength: BigInt(limits.frameToServerBytesMax + 1) })],
    ],
    ["H4 a length with the top bit", 1009, [frame("", { claimedLength: 1n << 63n })]],
    ["H5 a reserved opcode", 1002, [frame(ping, { opcode: 3 })]],
    ["H5 a reserved control opcode", 1002, [frame("", { opcode: 11 })]],
    ["H5 the first reserved bit, as of a compressed frame", 1002, [frame(ping, { reserved: 4 })]],
    ["H5 the second reserved bit", 1002, [frame(ping, { reserved: 2 })]],
    ["H5 the third reserved bit", 1002, [frame(ping, { reserved: 1 })]],
    ["H5 a ping of 126 bytes", 1002, [frame("x".repeat(126), { opcode: control })]],
    ["H5 a ping in fragments", 1002, [frame("x", { opcode: control, isLast: false })]],
    ["H5 a continuation of nothing", 1002, [frame(ping, { opcode: continuation })]],
    [
      "H5 a message inside another's fragments",
      1002,
      [frame("{", { isLast: false }), frame("}", { opcode: text })],
    ],
    ["H5 the close code 1005 on the wire", 1002, [frame(Uint8Array.of(3, 237), { opcode: close })]],
    ["H5 a close payload of one byte", 1002, [frame(Uint8Array.of(3), { opcode: close })]],
    [
      "H6 more fragments than 64",
      1008,
      [
        frame("{", { isLast: false }),
        ...Array.from({ length: 64 }, () => frame("", { opcode: continuation, isLast: false })),
      ],
    ],
    ["H8 a binary frame", 1003, [frame(ping, { opcode: binary })]],
  ];

  test.each(cases)("%s: %i", async (_name, code, frames) => {
    await using rig = await GatewayRig.start();
    await using raw = await RawWebSocket.open(rig.gateway.address.port);
    const neighbour = await rig.connect();
    for (const bytes of frames) raw.stream.write(bytes);
    expect(await raw.closeCode()).toBe(code);
    expect(await neighbour.call("session.ping")).toEqual({});
  });

  test("H7 compression is not negotiated", async () => {
    await using rig = await GatewayRig.start();
    await using raw = await RawWebSocket.connect(rig.gateway.address.port);
    raw.stream.write(upgrade({ "Sec-WebSocket-Extensions": "permessage-deflate" }));
    await raw.until(() => raw.text.includes("\r\n\r\n"));
    expect(raw.text).toContain("101 Switching Protocols");
    expect(raw.text.toLowerCase()).not.toContain("sec-websocket-extensions");
  });
});

describe("frames that any peer may send", () => {
  test("T1 a message in three fragments, a ping between them, byte by byte", async () => {
    await using rig = await GatewayRig.start();
    await using raw = await RawWebSocket.open(rig.gateway.address.port);
    const bytes = Buffer.concat([
      frame(ping.slice(0, 9), { isLast: false }),
      frame(ping.slice(9, 20), { opcode: opcodes.continuation, isLast: false }),
      frame("?", { opcode: opcodes.ping }),
      frame(ping.slice(20), { opcode: opcodes.continuation }),
    ]);
    for (const byte of bytes) raw.stream.write(Uint8Array.of(byte));
    expect(await raw.next()).toEqual({ opcode: opcodes.pong, payload: Buffer.from("?") });
    expect((await raw.next()).payload.toString()).toBe(pong);
  });

  test("T5 exactly 1 MiB", async () => {
    await using rig = await GatewayRig.start();
    await using raw = await RawWebSocket.open(rig.gateway.address.port);
    raw.send(ping.padEnd(limits.frameToServerBytesMax, " "));
    expect((await raw.next()).payload.toString()).toBe(pong);
  });

  test("T4 1 MiB and one byte: 1009", async () => {
    await using rig = await GatewayRig.start();
    await using raw = await RawWebSocket.open(rig.gateway.address.port);
    raw.send(ping.padEnd(limits.frameToServerBytesMax + 1, " "));
    expect(await raw.closeCode()).toBe(1009);
  });

  test("a close is answered, and the session ends", async () => {
    await using rig = await GatewayRig.start();
    await using raw = await RawWebSocket.open(rig.gateway.address.port);
    raw.send(Uint8Array.of(3, 232), { opcode: opcodes.close });
    expect(await raw.closeCode()).toBe(1000);
  });
});

describe("calls on one socket", () => {
  test("T6 200 at once are answered once each", async () => {
    await using rig = await GatewayRig.start();
    const peer = await rig.connect();
    const ids = Array.from({ length: 200 }, (_, id) => id);
    for (const id of ids) peer.send({ jsonrpc: "2.0", id, method: "session.ping" });
    await peer.until((frames) => frames.length >= 200);
    expect(peer.messages.map(({ id }) => id).sort(byNumber)).toEqual(ids);
  });

  test("T7 a fast call overtakes a slow one, T8 not inside a batch", async () => {
    const slow = Promise.withResolvers<{ findings: [] }>();
    const fake = new FakeService({ doctor: () => slow.promise });
    await using rig = await GatewayRig.start({}, fake);
    const peer = await rig.connect();
    const fast = (id: string) => ({ jsonrpc: "2.0", id, method: "session.ping" });
    peer.send({ jsonrpc: "2.0", id: "slow", method: "system.doctor" });
    peer.send([{ jsonrpc: "2.0", id: "slow in batch", method: "system.doctor" }, fast("in batch")]);
    peer.send(fast("alone"));
    await peer.until((frames) => frames.length === 1);
    expect(peer.messages.map(({ id }) => id)).toEqual(["alone"]);
    slow.resolve({ findings: [] });
    await peer.until((frames) => frames.length === 3);
    expect(peer.messages.map(({ id }) => id)).toEqual([
      "alone",
      "slow",
      "slow in batch",
      "in batch",
    ]);
    expect(JSON.parse(peer.frames[2] ?? "")).toHaveLength(2);
  });

  test("T9 a peer that leaves before its answer: the handler finishes, nobody is told", async () => {
    const slow = Promise.withResolvers<{ findings: [] }>();
    const started = Promise.withResolvers<void>();
    const doctor = () => {
      started.resolve();
      return slow.promise;
    };
    await using rig = await GatewayRig.start({}, new FakeService({ doctor }));
    const peer = await rig.connect();
    peer.send({ jsonrpc: "2.0", id: 1, method: "system.doctor" });
    await started.promise;
    await peer.close();
    slow.resolve({ findings: [] });
    await slow.promise;
    expect(await (await rig.connect()).call("session.ping")).toEqual({});
    expect(rig.log).toEqual([]);
  });

  test("T11 a call that never settles ends at its deadline, and what comes later is dropped", async () => {
    const slow = Promise.withResolvers<{ findings: [] }>();
    await using rig = await GatewayRig.start({}, new FakeService({ doctor: () => slow.promise }));
    const peer = await rig.connect();
    const reply = peer.ask("system.doctor");
    await peer.call("session.ping");
    rig.clock.advance(29_000);
    await peer.call("session.ping");
    expect(peer.messages).toHaveLength(2);
    rig.clock.advance(1_000);
    expect((await reply).error).toMatchObject({
      code: -32013,
      data: { code: "deadline-exceeded" },
    });
    slow.resolve({ findings: [] });
    await peer.call("session.ping");
    expect(peer.messages).toHaveLength(4);
  });

  test("T12 the same id twice in flight: both are answered", async () => {
    await using rig = await GatewayRig.start();
    const peer = await rig.connect();
    peer.send(ping);
    peer.send(ping);
    await peer.until((frames) => frames.length === 2);
    expect(peer.frames).toEqual([pong, pong]);
  });

  test("T24 answers to calls that the server never made are ignored", async () => {
    await using rig = await GatewayRig.start();
    const peer = await rig.connect();
    peer.send({ jsonrpc: "2.0", id: 1, result: "hi" });
    peer.send({ jsonrpc: "2.0", id: 1, error: { code: 1, message: "x" } });
    await peer.call("session.ping");
    expect(peer.frames).toHaveLength(1);
  });

  test("more than the allowed calls in flight: the rest are told to come back", async () => {
    const slow = Promise.withResolvers<{ findings: [] }>();
    const fake = new FakeService({ doctor: () => slow.promise });
    await using rig = await GatewayRig.start({}, fake);
    const peer = await rig.connect();
    for (let id = 0; id < 1002; id += 1) {
      peer.send({ jsonrpc: "2.0", id, method: "system.doctor" });
    }
    await peer.until((frames) => frames.length === 2);
    for (const { error } of peer.messages) {
      expect(error).toMatchObject({ code: -32009, data: { code: "busy", retryAfterMs: 100 } });
    }
    slow.resolve({ findings: [] });
    await peer.until((frames) => frames.length === 1002);
    expect(await peer.call("session.ping")).toEqual({});
  });
});

describe("upgrades", () => {
  test("the subprotocol is taken when offered, among others too", async () => {
    await using rig = await GatewayRig.start();
    await using raw = await RawWebSocket.connect(rig.gateway.address.port);
    raw.stream.write(upgrade({ "Sec-WebSocket-Protocol": "graphql-ws, kantoku.v1" }));
    await raw.until(() => raw.text.includes("\r\n\r\n"));
    expect(raw.text).toContain("Sec-WebSocket-Protocol: kantoku.v1\r\n");
  });

  test("a subprotocol of somebody else's is not taken", async () => {
    await using rig = await GatewayRig.start();
    await using raw = await RawWebSocket.connect(rig.gateway.address.port);
    raw.stream.write(upgrade({ "Sec-WebSocket-Protocol": "graphql-ws" }));
    await raw.until(() => raw.text.includes("\r\n\r\n"));
    expect(raw.text.toLowerCase()).not.toContain("sec-websocket-protocol");
  });

  test.each([
    ["another path", {}, "/", 404],
    ["a path below", {}, "/rpc/x", 404],
    ["another version", { "Sec-WebSocket-Version": "12" }, "/rpc", 400],
    ["no key", { "Sec-WebSocket-Key": null }, "/rpc", 400],
  ] as const)("%s is refused", async (_name, headers, path, status) => {
    await using rig = await GatewayRig.start();
    await using raw = await RawWebSocket.connect(rig.gateway.address.port);
    raw.stream.write(upgrade(headers, path));
    await raw.until(() => raw.text.includes("\r\n\r\n"));
    expect(raw.text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  test("a query is no other path", async () => {
    await using rig = await GatewayRig.start();
    const peer = await RpcSocket.open(`${rig.url}?x=1`);
    expect(await peer.call("session.ping")).toEqual({});
    await peer.close();
  });

  test("beyond the connections that fit: 503, and again room when one leaves", async () => {
    await using rig = await GatewayRig.start({ bounds: { connectionsMax: 2 } });
    const first = await rig.connect();
    await rig.connect();
    await using raw = await RawWebSocket.connect(rig.gateway.address.port);
    raw.stream.write(upgrade());
    await raw.until(() => raw.text.includes("\r\n\r\n"));
    expect(raw.text).toContain("503 Service Unavailable");
    expect(raw.text).toContain("Retry-After:");
    await first.close();
    let third: RpcSocket | undefined;
    while (third === undefined) third = await rig.connect().catch(() => undefined);
    expect(await third.call("session.ping")).toEqual({});
  });
});

describe("liveness", () => {
  test("H10 a peer that answers no ping for 20 s is cut", async () => {
    await using rig = await GatewayRig.start();
    await using raw = await RawWebSocket.open(rig.gateway.address.port);
    const neighbour = await rig.connect();
    rig.clock.advance(20_000);
    expect((await raw.next()).opcode).toBe(opcodes.ping);
    // The neighbour's pong has surely been read once its later call is answered.
    await neighbour.call("session.ping");
    rig.clock.advance(19_000);
    expect(raw.isEnded).toBe(false);
    rig.clock.advance(1_000);
    await expect(raw.next()).rejects.toThrow("the connection ended");
    expect(await neighbour.call("session.ping")).toEqual({});
  });

  test("a pong keeps a silent peer", async () => {
    await using rig = await GatewayRig.start();
    await using raw = await RawWebSocket.open(rig.gateway.address.port);
    for (let round = 0; round < 3; round += 1) {
      rig.clock.advance(20_000);
      expect((await raw.next()).opcode).toBe(opcodes.ping);
      raw.send("", { opcode: opcodes.pong });
      raw.send(ping);
      expect((await raw.next()).payload.toString()).toBe(pong);
    }
  });

  test("after this process stood still, nobody is judged before the sockets were read", async () => {
    await using rig = await GatewayRig.start();
    await using raw = await RawWebSocket.open(rig.gateway.address.port);
    rig.clock.advance(20_000);
    expect((await raw.next()).opcode).toBe(opcodes.ping);
    rig.clock.stall(60_000);
    raw.send("", { opcode: opcodes.pong });
    raw.send(ping);
    expect((await raw.next()).payload.toString()).toBe(pong);
    rig.clock.advance(1_000);
    expect((await raw.next()).opcode).toBe(opcodes.ping);
  });
});

function byNumber(left: unknown, right: unknown): number {
  return Number(left) - Number(right);
}
