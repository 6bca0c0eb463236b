import { describe, expect, test } from "vitest";
import { Connection } from "../../sdk/client/connection.ts";
import { RemoteService } from "../../sdk/client/remote-service.ts";
import type { Graph } from "../../sdk/protocol/graph.ts";
import type { PipelinePage, Service } from "../../sdk/protocol/service.ts";
import { systemClock } from "../../sdk/time/clock.ts";
import { EngineRig } from "../support/engine-rig.ts";
import { GatewayRig } from "../support/gateway-rig.ts";
import type { RpcSocket } from "../support/rpc-socket.ts";

const chain = {
  tasks: {
    first: { definition: "job", refs: [{ at: "/n", input: true }] },
    second: { definition: "job", refs: [{ at: "/n", task: "first", path: "/n" }] },
  },
  result: "second",
} as const satisfies Graph;

/** Everything is wrong with it that a graph by itself can have wrong. */
const bad = {
  tasks: {
    a: { definition: "job", after: ["nobody"], onFailure: "maybe" },
    b: { definition: "job", graph: { tasks: {} }, refs: [{ at: "x", item: true }] },
    "c d": { each: { tasks: { e: {} }, result: "e" }, limit: 0, when: { path: "/a" } },
  },
  result: "z",
};

describe("a graph over the wire", () => {
  test("is made at once, runs as its dependencies allow, and has the output of its result", async () => {
    await using rig = await Rig.start();
    const { peer } = rig;
    const submitted = await peer.call("task.submit", { graph: chain, input: 7 });
    expect(submitted).toMatchObject({ status: "running", created: true });
    const tasks = submitted["tasks"] as Record<string, string>;
    expect(Object.keys(tasks)).toEqual(["first", "second"]);

    const outcome = peer.call("task.result", { id: submitted["id"] });
    await rig.work({ n: 7 }, { n: 8 });
    expect((await peer.call("task.get", { id: tasks["second"] }))["input"]).toEqual({ n: 8 });
    await rig.work({ n: 8 }, { n: 9 });
    expect(await outcome).toEqual({ id: submitted["id"], status: "succeeded", output: { n: 9 } });
  });

  test("task.run takes one, too, and says which of its tasks failed", async () => {
    await using rig = await Rig.start();
    const outcome = rig.peer.ask("task.run", { graph: chain, input: 1 });
    const { token } = await rig.peer.notification("attempt.assign");
    const error = { name: "E", message: "no luck", retryable: false };
    await rig.peer.call("attempt.fail", { token, error });
    expect((await outcome).error).toMatchObject({
      code: -32020,
      data: { error: { code: "dependency-failed", data: { name: "first" } } },
    });
  });

  test("task.graph tells the whole tree, asked by any of its tasks or by key", async () => {
    await using rig = await Rig.start();
    const { peer } = rig;
    const { id, tasks } = await peer.call("task.submit", { graph: chain, idempotencyKey: "k" });
    const { first, second } = tasks as Record<string, string>;
    const view = await peer.call("task.graph", { key: "k" });
    expect(await peer.call("task.graph", { id: second })).toEqual(view);
    expect(view["root"]).toBe(id);
    expect(view["tasks"]).toEqual([
      { id, name: "pipeline", kind: "pipeline", definition: "pipeline", status: "running" },
      { id: first, name: "first", kind: "task", definition: "job", status: "running", parent: id },
      {
        id: second,
        name: "second",
        kind: "task",
        definition: "job",
        status: "waiting",
        parent: id,
      },
    ]);
    expect(view["edges"]).toContainEqual({ from: first, to: second });
    expect((await peer.ask("task.graph", { id: "unknown" })).error?.code).toBe(-32003);
  });

  test("that cannot be run is refused with everything that is wrong, and leaves nothing", async () => {
    await using rig = await Rig.start();
    const { peer } = rig;
    for (const [method, params] of [
      ["task.submit", { graph: bad, idempotencyKey: "k" }],
      ["task.run", { graph: bad }],
      ["pipeline.register", { name: "bad", graph: bad }],
    ] as const) {
      const { error } = await peer.ask(method, params);
      expect(error).toMatchObject({ code: -32014, data: { code: "invalid-definition" } });
      const problems = error?.data["problems"] as readonly { path: string; message: string }[];
      expect(problems.map(({ path }) => path)).toEqual(
        expect.arrayContaining([
          "graph.result",
          "graph.tasks.a.after[0]",
          "graph.tasks.a.onFailure",
          "graph.tasks.b",
          "graph.tasks.b.graph.tasks",
          "graph.tasks.b.graph.result",
          "graph.tasks.b.refs[0].at",
          "graph.tasks.b.refs[0].item",
          "graph.tasks.c d",
          "graph.tasks.c d.limit",
          "graph.tasks.c d.each.tasks.e",
          "graph.tasks.c d.when",
        ]),
      );
      for (const { message } of problems) expect(message).toMatch(/./);
    }
    expect(await peer.call("task.list", {})).toEqual({ tasks: [] });
    expect(await peer.call("pipeline.list")).toEqual({ pipelines: [] });
  });

  test.each([
    [
      "tasks that wait for each other",
      { tasks: { a: { definition: "x", after: ["a"] } }, result: "a" },
    ],
    ["no tasks", { tasks: {}, result: "a" }],
    ["tasks in a list", { tasks: [{ definition: "x" }], result: "0" }],
    ["a task that is none", { tasks: { a: "x" }, result: "a" }],
    ["nothing", {}],
    [
      "a member called __proto__",
      JSON.parse('{"tasks":{"__proto__":{"definition":1}},"result":"a"}'),
    ],
    [
      "a preprocessor that does not compile",
      {
        tasks: { a: { definition: "x", refs: [{ at: "", input: true, preprocessor: "(" }] } },
        result: "a",
      },
    ],
    [
      "1,001 tasks",
      {
        tasks: Object.fromEntries(
          Array.from({ length: 1001 }, (_, index) => [`t${index}`, { definition: "x" }]),
        ),
        result: "t0",
      },
    ],
  ])("with %s is refused, and the problem has a path", async (_what, graph) => {
    await using rig = await Rig.start();
    const { error } = await rig.peer.ask("task.submit", { graph });
    expect(error?.code).toBe(-32014);
    expect(error?.data["problems"]).toContainEqual({
      path: expect.stringMatching(/^graph/),
      message: expect.stringMatching(/./),
    });
  });

  test("under a key is one graph however often it is sent, and another body is a conflict", async () => {
    await using rig = await Rig.start();
    const { peer } = rig;
    const params = { graph: chain, input: { a: 1, b: 2 }, idempotencyKey: "once" };
    const { id } = await peer.call("task.submit", params);
    const reordered = {
      idempotencyKey: "once",
      input: { b: 2, a: 1 },
      graph: { result: "second", tasks: { second: chain.tasks.second, first: chain.tasks.first } },
    };
    expect(await peer.call("task.submit", reordered)).toEqual({
      id,
      status: "running",
      created: false,
    });

    const others = [
      { ...params, input: { a: 1 } },
      { ...params, graph: { ...chain, result: "first" } },
      { definition: "job", input: params.input, idempotencyKey: "once" },
    ];
    for (const other of others) {
      const { error } = await peer.ask("task.submit", other);
      expect(error).toMatchObject({ code: -32004, data: { task: id } });
    }
    expect((await peer.call("task.list", {}))["tasks"]).toHaveLength(3);
  });

  test("sent twice at once under a key is made once", async () => {
    await using rig = await Rig.start();
    const params = { graph: chain, idempotencyKey: "twice" };
    const both = await Promise.all([
      rig.peer.call("task.submit", params),
      rig.peer.call("task.submit", params),
    ]);
    expect(new Set(both.map(({ id }) => id)).size).toBe(1);
    expect(both.map(({ created }) => created).toSorted()).toEqual([false, true]);
    expect((await rig.peer.call("task.list", {}))["tasks"]).toHaveLength(3);
  });
});

describe("a named pipeline", () => {
  test("is a version by its body, is read and listed, and runs by its name", async () => {
    await using rig = await Rig.start();
    const { peer } = rig;
    const pipeline = { name: "two", graph: chain, inputSchema: { type: "integer" } };
    const registered = await peer.call("pipeline.register", pipeline);
    expect(registered).toMatchObject({
      ...pipeline,
      version: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
    expect(await peer.call("pipeline.register", pipeline)).toEqual(registered);
    const { version } = registered;
    expect(await peer.call("pipeline.get", { name: "two", version })).toEqual(registered);
    expect(await peer.call("pipeline.list")).toEqual({ pipelines: [registered] });

    const outcome = peer.call("task.run", { definition: "two", input: 1 });
    await rig.work({ n: 1 }, { n: 2 });
    await rig.work({ n: 2 }, { n: 3 });
    const { id, output } = await outcome;
    expect(output).toEqual({ n: 3 });
    expect(await peer.call("task.get", { id })).toMatchObject({ definition: "two", version });
  });

  test("is of its namespace", async () => {
    await using rig = await Rig.start();
    const other = await rig.connect();
    await other.call("session.open", { namespace: "other" });
    await other.call("pipeline.register", { name: "mine", graph: chain });
    expect((await rig.peer.ask("pipeline.get", { name: "mine" })).error?.code).toBe(-32003);
    expect(await rig.peer.call("pipeline.list")).toEqual({ pipelines: [] });
  });

  test("is listed in pages that fit a frame, however large they all are", async () => {
    await using rig = await Rig.start();
    const names = ["a", "b", "c", "d", "e", "f"];
    const graph = { tasks: { a: { definition: "x", input: "x".repeat(250_000) } }, result: "a" };
    const large = { graph, inputSchema: { description: "x".repeat(700_000) } };
    for (const name of names) await rig.peer.call("pipeline.register", { name, ...large });
    const listed: string[] = [];
    let pages = 0;
    for (let cursor: string | undefined = ""; cursor !== undefined; pages += 1) {
      const params: object = cursor === "" ? {} : { cursor };
      const page = (await rig.peer.call("pipeline.list", params)) as unknown as PipelinePage;
      listed.push(...page.pipelines.map(({ name }) => name));
      cursor = page.cursor;
    }
    expect(listed).toEqual(names);
    expect(pages).toBeGreaterThan(1);
  });

  test("has a version that is asked for, or is not found", async () => {
    await using rig = await Rig.start();
    await rig.peer.call("pipeline.register", { name: "two", graph: chain });
    const { error } = await rig.peer.ask("pipeline.get", { name: "two", version: "0" });
    expect(error).toMatchObject({ code: -32003, data: { name: "two", version: "0" } });
  });
});

test("the service behind a gateway says the same as the one in process", async () => {
  await using rig = await Rig.start();
  const parts = { clock: systemClock, random: Math.random };
  const connection = new Connection({
    ...parts,
    urls: [rig.url],
    session: {},
    WebSocket: globalThis.WebSocket,
  });
  const remote = new RemoteService(connection, parts);
  await connection.open();
  try {
    const local = rig.service;
    const pipeline = await remote.registerPipeline({ name: "two", graph: chain });
    expect(await local.getPipeline({ name: "two" })).toEqual(pipeline);
    const { name, version } = pipeline;
    expect(await remote.getPipeline({ name, version })).toEqual(pipeline);
    expect(await remote.listPipelines({})).toEqual(await local.listPipelines({}));
    const { id, tasks } = await remote.submit({ graph: chain, input: 1 });
    expect(Object.keys(tasks ?? {})).toEqual(["first", "second"]);
    expect(await remote.graph({ id })).toEqual(await local.graph({ id }));
    const { token } = await rig.peer.notification("attempt.assign");
    expect(await remote.suspend({ token: String(token) })).toEqual({ accepted: true });
    expect(await remote.resume({ token: String(token) })).toEqual({});
    const refused = remote.submit({ graph: { tasks: {}, result: "a" } });
    await expect(refused).rejects.toMatchObject({
      code: "invalid-definition",
      data: {
        problems: expect.arrayContaining([expect.objectContaining({ path: "graph.tasks" })]),
      },
    });
    const huge = { tasks: { a: { definition: "x", input: "x".repeat(2 ** 20) } }, result: "a" };
    await expect(remote.submit({ graph: huge })).rejects.toMatchObject({ code: "too-large" });
  } finally {
    connection.close();
  }
});

/** A gateway before an engine in memory, and a peer that is client and worker of `job`. */
class Rig implements AsyncDisposable {
  readonly peer: RpcSocket;
  readonly #engine: EngineRig;
  readonly #gateway: GatewayRig;
  #assigned = 0;

  private constructor(peer: RpcSocket, parts: { engine: EngineRig; gateway: GatewayRig }) {
    this.peer = peer;
    this.#engine = parts.engine;
    this.#gateway = parts.gateway;
  }

  static async start(): Promise<Rig> {
    const engine = await EngineRig.start();
    const gateway = await GatewayRig.start({ service: engine.node.serviceOf });
    const peer = await gateway.connect();
    const definitions = [{ name: "job" }];
    await peer.call("worker.register", { instance: "one", definitions, slots: 10 });
    return new Rig(peer, { engine, gateway });
  }

  get url(): string {
    return this.#gateway.url;
  }

  /** What the gateway stands before. */
  get service(): Service {
    return this.#engine.service;
  }

  connect(): Promise<RpcSocket> {
    return this.#gateway.connect();
  }

  /** Waits for the next attempt, which must have this input, and completes it. */
  async work(input: unknown, output: unknown): Promise<void> {
    this.#assigned += 1;
    const nth = this.#assigned;
    const assigned = () => this.peer.messages.filter(({ method }) => method === "attempt.assign");
    await this.peer.until(() => assigned().length >= nth);
    const { token, ...rest } = assigned()[nth - 1]?.params ?? {};
    expect(rest["input"]).toEqual(input);
    await this.peer.call("attempt.complete", { token, output });
    await this.#engine.settle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gateway[Symbol.asyncDispose]();
    await this.#engine[Symbol.asyncDispose]();
  }
}
