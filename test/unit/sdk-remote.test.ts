import { afterEach, describe, expect, test } from "vitest";
import { connect } from "../../sdk/client/connect.ts";
import type { Kantoku } from "../../sdk/client/kantoku.ts";
import type { LogLine } from "../../sdk/context.ts";
import { task } from "../../sdk/definition.ts";
import { isKantokuError } from "../../sdk/errors.ts";
import type { JournalEvent } from "../../sdk/protocol/task.ts";
import { ManualClock, settle } from "../support/manual-clock.ts";
import { noReply, PeerError, RpcPeer } from "../support/rpc-peer.ts";

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanups.splice(0).reverse()) await cleanUp();
});

async function pair(
  handlers: Parameters<typeof RpcPeer.start>[0] = {},
  clock?: ManualClock,
): Promise<{ peer: RpcPeer; kantoku: Kantoku }> {
  const peer = await RpcPeer.start({ "worker.list": () => ({ workers: [] }), ...handlers });
  const kantoku = await connect(peer.url, { random: () => 0, ...(clock && { clock }) });
  cleanups.push(
    () => kantoku.close(),
    () => peer[Symbol.asyncDispose](),
  );
  cleanups.reverse();
  return { peer, kantoku };
}

function event(subscription: string, seq: number) {
  return { subscription, task: "t", seq, type: "task.readied", at: 0, data: {}, cursor: `${seq}` };
}

const seqs = (events: readonly JournalEvent[]) => events.map(({ seq }) => seq);

/** Reads a task's events in the background. */
function follow(kantoku: Kantoku, options = {}) {
  const events: JournalEvent[] = [];
  const ended = (async () => {
    for await (const event of kantoku.handle("t").events(options)) events.push(event);
  })();
  return { events, ended };
}

describe("events", () => {
  test("that come in the frame of the subscription's answer are not missed", async () => {
    const { peer, kantoku } = await pair({ "task.subscribe": () => noReply });
    const { events, ended } = follow(kantoku);
    const { id } = await peer.call("task.subscribe");
    peer.send([
      { jsonrpc: "2.0", id, result: { subscription: "s1" } },
      { jsonrpc: "2.0", method: "task.event", params: event("s1", 1) },
      { jsonrpc: "2.0", method: "task.event", params: event("s1", 2) },
      {
        jsonrpc: "2.0",
        method: "subscription.end",
        params: { subscription: "s1", reason: "ended", cursor: "2" },
      },
    ]);
    await ended;
    expect(events).toEqual([
      { seq: 1, type: "task.readied", at: 0, data: {} },
      { seq: 2, type: "task.readied", at: 0, data: {} },
    ]);
  });

  test("go on over lost sockets and lag, without gap or repeat", async () => {
    let opened = 0;
    const { peer, kantoku } = await pair({
      "task.subscribe": () => {
        opened += 1;
        return { subscription: `s${opened}` };
      },
    });
    const { events, ended } = follow(kantoku);
    await peer.call("task.subscribe", 1);
    peer.notify("task.event", event("s1", 1));
    peer.notify("task.event", event("s1", 2));
    await expect.poll(() => seqs(events)).toEqual([1, 2]);
    peer.cut();
    expect((await peer.call("task.subscribe", 2)).params).toEqual({ id: "t", after: 2 });
    peer.notify("task.event", event("s2", 1));
    peer.notify("task.event", event("s2", 3));
    peer.notify("task.event", event("s1", 4));
    peer.notify("subscription.end", { subscription: "s2", reason: "lagged", cursor: "3" });
    expect((await peer.call("task.subscribe", 3)).params).toEqual({ id: "t", after: 3 });
    // An event is missing: asked for again rather than passed over.
    peer.notify("task.event", event("s3", 5));
    expect((await peer.call("task.subscribe", 4)).params).toEqual({ id: "t", after: 3 });
    peer.notify("task.event", event("s4", 4));
    peer.notify("task.event", event("s4", 5));
    peer.notify("subscription.end", { subscription: "s4", reason: "ended", cursor: "5" });
    await ended;
    expect(seqs(events)).toEqual([1, 2, 3, 4, 5]);
  });

  test("start after the seq given, and stop being sent when nobody reads on", async () => {
    const { peer, kantoku } = await pair({ "task.subscribe": () => ({ subscription: "s1" }) });
    const reading = (async () => {
      for await (const { seq } of kantoku.handle("t").events({ after: 7 })) return seq;
      return undefined;
    })();
    expect((await peer.call("task.subscribe")).params).toEqual({ id: "t", after: 7 });
    peer.notify("task.event", event("s1", 8));
    expect(await reading).toBe(8);
    expect((await peer.call("task.unsubscribe")).params).toEqual({ subscription: "s1" });
    peer.cut();
    await peer.until(() => peer.connectionCount === 2);
    await kantoku.workers();
    expect(peer.of("task.subscribe")).toHaveLength(1);
  });

  test("of an unknown task are an error, and of one deleted on the way too", async () => {
    const { peer, kantoku } = await pair({
      "task.subscribe": ({ connection }) => {
        if (connection === 1) return { subscription: "s1" };
        throw new PeerError(-32003);
      },
    });
    const { ended } = follow(kantoku);
    const failure = ended.catch((error: unknown) => error);
    await peer.call("task.subscribe");
    peer.cut();
    expect(isKantokuError(await failure, "not-found")).toBe(true);
    await expect(follow(kantoku).ended).rejects.toMatchObject({ code: "not-found" });
  });

  test("bring progress, live", async () => {
    const { peer, kantoku } = await pair({ "task.subscribe": () => ({ subscription: "s1" }) });
    const progress: unknown[] = [];
    const { ended } = follow(kantoku, { onProgress: (value: unknown) => progress.push(value) });
    await peer.call("task.subscribe");
    peer.notify("task.progress", { subscription: "s1", task: "t", progress: { done: 1 } });
    peer.notify("subscription.end", { subscription: "s1", reason: "ended" });
    await ended;
    expect(progress).toEqual([{ done: 1 }]);
  });

  test("end with an error when the client closes, even while it is out of reach", async () => {
    const { peer, kantoku } = await pair({ "task.subscribe": () => noReply });
    const { ended } = follow(kantoku);
    const failure = ended.catch((error: unknown) => error);
    await peer.call("task.subscribe");
    await kantoku.close();
    expect(isKantokuError(await failure, "shutting-down")).toBe(true);
  });
});

function registered(drop: readonly string[] = [], worker = "w1") {
  return { worker, leaseMs: 10_000, heartbeatMs: 3_000, keep: [], drop };
}

function assignment(token: string, facts: object = {}) {
  return {
    task: `task-${token}`,
    attempt: 1,
    token,
    definition: "held",
    version: "",
    input: null,
    idempotencyKey: "k",
    journal: [],
    root: "r",
    labels: {},
    metadata: {},
    ...facts,
  };
}

/** A definition that runs until the test resolves its input's gate. */
function heldTask() {
  const gates = new Map<string, PromiseWithResolvers<unknown>>();
  const signals = new Map<string, AbortSignal>();
  const gateOf = (id: string) => {
    const gate = gates.get(id) ?? Promise.withResolvers<unknown>();
    gates.set(id, gate);
    return gate;
  };
  const definition = task("held", {}, (_input, ctx) => {
    signals.set(ctx.task, ctx.abortSignal);
    return gateOf(ctx.task).promise;
  });
  return { definition, gateOf, signals };
}

describe("a remote worker", () => {
  test("runs what comes in the frame of its registration's answer", async () => {
    const { definition, gateOf } = heldTask();
    const { peer, kantoku } = await pair({ "worker.register": () => noReply });
    const working = kantoku.work([definition], { name: "w", slots: 2 });
    const { id } = await peer.call("worker.register");
    peer.send([
      { jsonrpc: "2.0", id, result: registered() },
      { jsonrpc: "2.0", method: "attempt.assign", params: assignment("a") },
    ]);
    await working;
    gateOf("task-a").resolve({ n: 1 });
    expect((await peer.call("attempt.complete")).params).toEqual({ token: "a", output: { n: 1 } });
  });

  test("keeps its attempts over a lost socket, and gives up what it is told to drop", async () => {
    const { definition, gateOf, signals } = heldTask();
    const { peer, kantoku } = await pair({
      "worker.register": ({ connection }) => registered(connection === 1 ? [] : ["b"]),
      "attempt.complete": () => ({ answer: "recorded" }),
    });
    const worker = await kantoku.work([definition]);
    for (const token of ["a", "b"]) peer.notify("attempt.assign", assignment(token));
    await expect.poll(() => signals.size).toBe(2);
    peer.cut();
    const again = await peer.call("worker.register", 2);
    expect(again.params).toMatchObject({ worker: "w1", attempts: ["a", "b"] });
    expect(again.params["instance"]).toBe(peer.of("worker.register")[0]?.params["instance"]);
    await expect.poll(() => signals.get("task-b")?.aborted).toBe(true);
    expect(signals.get("task-a")?.aborted).toBe(false);
    gateOf("task-b").resolve("dropped");
    gateOf("task-a").resolve("kept");
    await peer.call("attempt.complete");
    await worker.drain();
    expect(peer.of("attempt.complete").map(({ params }) => params["token"])).toEqual(["a"]);
  });

  test("sends a completion whose answer was lost again, after it has registered again", async () => {
    const { definition, gateOf } = heldTask();
    const { peer, kantoku } = await pair({
      "worker.register": () => registered(),
      "attempt.complete": ({ connection }) => (connection === 1 ? noReply : { answer: "recorded" }),
    });
    const worker = await kantoku.work([definition]);
    peer.notify("attempt.assign", assignment("a"));
    gateOf("task-a").resolve(1);
    await peer.call("attempt.complete");
    peer.cut();
    await peer.call("attempt.complete", 2);
    const methods = peer.calls
      .filter(({ connection }) => connection === 2)
      .map(({ method }) => method);
    expect(methods).toEqual(["session.open", "worker.register", "attempt.complete"]);
    expect(peer.of("worker.register")[1]?.params["attempts"]).toEqual(["a"]);
    await worker.drain();
  });

  test("logs an outage when it begins and when it is over, whatever was tried between", async () => {
    const clock = new ManualClock();
    const lines: LogLine[] = [];
    const { peer, kantoku } = await pair(
      {
        "session.open": ({ connection }) => {
          if (connection === 2 || connection === 3) throw new PeerError(-32009);
          return { session: "s" };
        },
        "worker.register": () => registered(),
      },
      clock,
    );
    await kantoku.work([heldTask().definition], { log: (line) => lines.push(line) });
    peer.cut();
    for (const attempt of [2, 3]) {
      await expect.poll(() => clock.nextDueInMs).toBe(0);
      await clock.advance(0);
      await peer.call("session.open", attempt);
    }
    await expect.poll(() => clock.nextDueInMs).toBe(0);
    expect(lines).toEqual([
      {
        at: 1_000_000,
        level: "warn",
        message: "the connection to the server was lost",
        fields: { worker: "w1", url: `${peer.url}/rpc` },
      },
    ]);
    await clock.advance(700);
    await expect.poll(() => lines.length).toBe(2);
    expect(lines[1]).toMatchObject({
      level: "info",
      message: "the connection to the server is back",
      fields: { worker: "w1", awayMs: 700 },
    });
    await kantoku.close();
    expect(lines).toHaveLength(2);
  });

  test("registers once after an outage in which a heartbeat fell due", async () => {
    const clock = new ManualClock();
    const { definition, gateOf } = heldTask();
    const { peer, kantoku } = await pair(
      {
        "worker.register": ({ connection }) => (connection === 1 ? registered() : noReply),
        "worker.heartbeat": () => {
          throw new PeerError(-32003);
        },
        "attempt.complete": () => ({ answer: "recorded" }),
      },
      clock,
    );
    const worker = await kantoku.work([definition]);
    peer.cut();
    // The lost socket has been noticed: a beat is not the only thing to come any more.
    await expect.poll(() => clock.nextDueInMs).toBeLessThan(3_000);
    await clock.advance(3_000);
    const again = await peer.call("worker.register", 2);
    await peer.call("worker.heartbeat");
    // By this answer, the worker has made of its heartbeat's what it will.
    await kantoku.workers();
    await settle();
    await kantoku.workers();
    expect(peer.of("worker.register")).toHaveLength(2);
    peer.answer(again, registered());
    peer.notify("attempt.assign", assignment("a", { worker: "w1" }));
    gateOf("task-a").resolve(1);
    await peer.call("attempt.complete");
    await clock.advance(1_000);
    await kantoku.workers();
    expect(peer.of("worker.register")).toHaveLength(2);
    expect(worker.id).toBe("w1");
  });

  test("that drains says so again when it registers again", async () => {
    const { definition, gateOf, signals } = heldTask();
    const { peer, kantoku } = await pair({
      "worker.register": () => registered(),
      "attempt.complete": () => ({ answer: "recorded" }),
    });
    const worker = await kantoku.work([definition]);
    peer.notify("attempt.assign", assignment("a"));
    await expect.poll(() => signals.size).toBe(1);
    const drained = worker.drain();
    await peer.call("worker.drain");
    await kantoku.workers();
    peer.cut();
    await peer.call("worker.register", 2);
    await peer.call("worker.drain", 2);
    gateOf("task-a").resolve(1);
    await drained;
  });

  test("that has left before it is registered again is drained then", async () => {
    const { definition } = heldTask();
    const { peer, kantoku } = await pair({
      "worker.register": ({ connection }) => (connection === 1 ? registered() : noReply),
      "worker.drain": ({ connection }) => {
        if (connection === 1) return noReply;
        throw new PeerError(-32003);
      },
    });
    const worker = await kantoku.work([definition]);
    const drained = worker.drain();
    await peer.call("worker.drain");
    peer.cut();
    const again = await peer.call("worker.register", 2);
    await drained;
    peer.answer(again, registered());
    expect((await peer.call("worker.drain", 3)).params).toEqual({ worker: "w1" });
  });

  test("is cancelled by token", async () => {
    const { definition, gateOf, signals } = heldTask();
    const { peer, kantoku } = await pair({ "worker.register": () => registered() });
    await kantoku.work([definition]);
    for (const token of ["a", "b"]) peer.notify("attempt.assign", assignment(token));
    peer.notify("attempt.cancel", { token: "b", reason: "cancelled", graceMs: 10 });
    await expect.poll(() => signals.get("task-b")?.aborted).toBe(true);
    expect(signals.get("task-a")?.aborted).toBe(false);
    gateOf("task-b").reject(signals.get("task-b")?.reason);
    expect((await peer.call("attempt.fail")).params).toMatchObject({
      token: "b",
      error: { code: "task-cancelled" },
    });
  });

  test("shares a connection with others: assignments name theirs, or its definition does", async () => {
    let count = 0;
    const { peer, kantoku } = await pair({
      "worker.register": () => {
        count += 1;
        return registered([], `w${count}`);
      },
    });
    const who = (name: string) => task("held", {}, () => name);
    await kantoku.work([who("first")]);
    await kantoku.work([who("second"), task("other", {}, () => "by definition")]);
    peer.notify("attempt.assign", assignment("a", { worker: "w2" }));
    peer.notify("attempt.assign", assignment("b", { worker: "w1" }));
    peer.notify("attempt.assign", assignment("c", { definition: "other" }));
    await peer.call("attempt.complete", 3);
    expect(peer.of("attempt.complete").map(({ params }) => params["output"])).toEqual([
      "second",
      "first",
      "by definition",
    ]);
  });

  test.each<[string, (peer: RpcPeer) => void]>([
    ["a notification", (peer) => peer.notify("worker.superseded", { worker: "w1" })],
    ["close code 4409", (peer) => peer.closeSocket(4409)],
  ])("ends when %s says that it was replaced; its client goes on", async (_, supersede) => {
    const { definition } = heldTask();
    const { peer, kantoku } = await pair({ "worker.register": () => registered() });
    const worker = await kantoku.work([definition]);
    supersede(peer);
    await expect(worker.ended).resolves.toBe("superseded");
    peer.cut();
    await peer.until(() => peer.connectionCount >= 2);
    await kantoku.workers();
    expect(peer.of("worker.register")).toHaveLength(1);
  });

  test("ends when registering again is a conflict, and tries again when it is not", async () => {
    const refusals = [new PeerError(-32009), new PeerError(-32004)];
    const { definition } = heldTask();
    const { peer, kantoku } = await pair({
      "worker.register": ({ connection }) => {
        if (connection === 1) return registered();
        throw refusals.shift();
      },
    });
    const worker = await kantoku.work([definition]);
    peer.cut();
    await expect(worker.ended).resolves.toBe("superseded");
    expect(peer.of("worker.register")).toHaveLength(3);
  });

  test("stops with its client", async () => {
    const { definition, signals } = heldTask();
    const { peer, kantoku } = await pair({ "worker.register": () => registered() });
    const worker = await kantoku.work([definition]);
    peer.notify("attempt.assign", assignment("a"));
    await expect.poll(() => signals.size).toBe(1);
    await kantoku.close();
    await expect(worker.ended).resolves.toBe("closed");
    expect(signals.get("task-a")?.aborted).toBe(true);
    await settle();
    expect(peer.of("worker.register")).toHaveLength(1);
  });
});
