import { describe, expect, test } from "vitest";
import type { Outcome } from "../../../runtime/graph/outcome.ts";
import { finish, resolveInput } from "../../../runtime/graph/resolve.ts";
import { finishInTurn, resolveInTurn } from "../../../runtime/graph/resolve-in-turn.ts";
import type { GraphTask, Ref } from "../../../sdk/protocol/graph.ts";

const quarter = "x".repeat(250_000);
const names = Array.from({ length: 200 }, (_, index) => `t${index}`);

/** Each of a quarter of a megabyte, and known by its number. */
function outcomeOf(name: string, index: number): Outcome {
  const output = JSON.stringify({ n: index, text: quarter });
  return { name, id: `id of ${name}`, status: "succeeded", output, error: null, onFailure: "fail" };
}

const outcomes = names.map(outcomeOf);
const outputs = new Map(outcomes.map(({ id, output }) => [id, output ?? ""]));
const leftOut = outcomes.map((it) => ({
  ...it,
  output: null,
  outputBytes: it.output?.length ?? null,
}));

/** What is read, and how much of it at once. */
function startReading() {
  const pages: number[] = [];
  const read = async (ids: readonly string[]) => {
    pages.push(ids.length);
    return new Map(ids.map((id) => [id, outputs.get(id) ?? ""]));
  };
  return { pages, read };
}

/** In place of a sandbox: how many members there are, or the number that is in it. */
const preprocess = async (source: string, value: unknown) =>
  source === "count" ? Object.keys(value as object).length : (value as { n: number }).n;

function given(read = startReading().read) {
  return { template: { kept: 1 }, scope: { input: { i: 1 } }, preprocess, read };
}

async function both(vertex: GraphTask) {
  const position = { vertex, item: null };
  const rest = given();
  return Promise.all([
    resolveInTurn(position, { ...rest, outcomes: leftOut }),
    resolveInput(position, { ...rest, outcomes }),
  ]);
}

const job = { definition: "job" } as const;

function other(at: number, by: number): string {
  return `t${(at + by) % names.length}`;
}

/** A ref to the numbers of some tasks. */
function numbersOf(tasks: readonly string[], index: number): Ref {
  return { at: `/${index}`, all: tasks.map((task) => ({ task, path: "/n" })) };
}

describe("outputs that are too much together", () => {
  test.each<[string, GraphTask]>([
    [
      "picked by a path",
      { ...job, refs: names.map((task) => ({ at: `/${task}`, task, path: "/n" })) },
    ],
    [
      "reshaped",
      { ...job, refs: names.map((task) => ({ at: `/${task}`, task, preprocessor: "n" })) },
    ],
    [
      "under one place",
      { ...job, refs: [{ at: "/all", all: names.map((task) => ({ task, path: "/n" })) }] },
    ],
    [
      "reshaped twice",
      {
        ...job,
        refs: [
          {
            at: "",
            preprocessor: "count",
            all: names.map((task) => ({ task, preprocessor: "n" })),
          },
        ],
      },
    ],
    [
      "in any order",
      {
        ...job,
        refs: names.toReversed().map((task) => ({ at: `/${task}`, of: { task, path: "/n" } })),
      },
    ],
    [
      "beside the input",
      {
        ...job,
        refs: [
          { at: "/i", input: true, path: "/i" },
          { at: "/n", task: "t7", path: "/n" },
        ],
      },
    ],
    [
      "in a condition",
      { ...job, when: { task: "t9", path: "/n", equals: 9 }, refs: [{ at: "/one", task: "t1" }] },
    ],
    ["in one that does not hold", { ...job, when: { task: "t9", path: "/n", equals: 8 } }],
    [
      "given whole to a preprocessor",
      {
        ...job,
        refs: [{ at: "", preprocessor: "count", all: ["t1", "t2"].map((task) => ({ task })) }],
      },
    ],
    [
      "written over",
      {
        ...job,
        refs: [
          ...names.map((task) => ({ at: "/same", task })),
          { at: "/same", task: "t3", path: "/n" },
        ],
      },
    ],
  ])("are %s as they would be at once", async (_how, vertex) => {
    const [inTurn, atOnce] = await both(vertex);
    expect(inTurn).toEqual(atOnce);
    expect(inTurn.kind).not.toBe("fail");
  });

  test("are read once, a few megabytes at a time", async () => {
    const { pages, read } = startReading();
    const refs = names.toReversed().map((task) => ({ at: `/${task}`, task, path: "/n" }));
    const position = { vertex: { ...job, refs }, item: null };
    await resolveInTurn(position, { ...given(read), outcomes: leftOut });
    expect(Math.max(...pages)).toBeLessThanOrEqual(33);
    expect(pages.reduce((sum, page) => sum + page)).toBe(names.length);
  });

  test.each<[string, readonly string[][]]>([
    ["each with the first", names.slice(1).map((name) => [name, "t0"])],
    ["each with another", names.map((name, at) => [name, other(at, 100)])],
    ["and again by the next", names.map((name, at) => [name, other(at, 1), other(at, 2)])],
  ])("are hardly read again when they are wanted in lists, %s", async (_how, lists) => {
    const { pages, read } = startReading();
    const vertex = { ...job, refs: lists.map(numbersOf) };
    const resolved = await resolveInTurn(
      { vertex, item: null },
      { ...given(read), outcomes: leftOut },
    );
    expect(resolved).toEqual(await resolveInput({ vertex, item: null }, { ...given(), outcomes }));
    expect(pages.reduce((sum, page) => sum + page)).toBeLessThan(names.length + 40);
    expect(pages.length).toBeLessThan(50);
  });

  test("are read alone when they were read before, however they are mixed", async () => {
    const { pages, read } = startReading();
    const lists = names.map((name, at) => [name, other(at * at, 57)]);
    const vertex = { ...job, refs: [...lists, ...lists.toReversed()].map(numbersOf) };
    await resolveInTurn({ vertex, item: null }, { ...given(read), outcomes: leftOut });
    const outputsRead = pages.reduce((sum, page) => sum + page);
    // That none were let go would be too many held.
    expect(outputsRead).toBeGreaterThan(names.length);
    expect(outputsRead).toBeLessThan(5 * names.length);
  });

  test("are read in pages again for what comes after the condition", async () => {
    const { pages, read } = startReading();
    const refs = names.map((task) => ({ at: `/${task}`, task, path: "/n" }));
    const when = { all: names.map((task) => ({ task, path: "/n" })) };
    const position = { vertex: { ...job, refs, when }, item: null };
    await resolveInTurn(position, { ...given(read), outcomes: leftOut });
    expect(pages.reduce((sum, page) => sum + page)).toBe(2 * names.length);
    expect(pages.length).toBeLessThan(30);
  });

  test("are not read when nothing of them is wanted", async () => {
    const { pages, read } = startReading();
    const position = { vertex: { ...job, after: names }, item: null };
    const resolved = await resolveInTurn(position, { ...given(read), outcomes: leftOut });
    expect(resolved).toMatchObject({ kind: "go", value: { kept: 1 } });
    expect(pages).toEqual([]);
  });

  test.each<[string, GraphTask, string]>([
    ["an input", { ...job, refs: names.map((task) => ({ at: `/${task}`, task })) }, "too-large"],
    [
      "a list in it",
      { ...job, refs: [{ at: "/a", all: names.map((task) => ({ task })) }] },
      "too-large",
    ],
    [
      "a list that grows",
      { ...job, input: [], refs: names.map((task) => ({ at: "/-", task })) },
      "too-large",
    ],
    [
      "what a preprocessor is given",
      { ...job, refs: [{ at: "", preprocessor: "count", all: names.map((task) => ({ task })) }] },
      "preprocessor-memory",
    ],
  ])("fail %s as soon as they are more than it may be", async (_what, vertex, code) => {
    const { pages, read } = startReading();
    const resolved = await resolveInTurn(
      { vertex, item: null },
      { ...given(read), template: vertex.input ?? null, outcomes: leftOut },
    );
    expect(resolved).toMatchObject({ kind: "fail", error: { code } });
    expect(pages).toHaveLength(1);
  });

  test("are not too much for being lists of one", async () => {
    const rows = Array.from({ length: 60_000 }, () => [1]);
    const texts = [JSON.stringify(rows), JSON.stringify({ rows, text: quarter })];
    const [whole, part] = texts.map((output, index): [Outcome, Outcome] => {
      const outcome = { ...outcomeOf(`t${index}`, index), output };
      return [outcome, { ...outcome, output: null, outputBytes: output.length }];
    }) as [[Outcome, Outcome], [Outcome, Outcome]];
    const read = async (ids: readonly string[]) =>
      new Map(ids.map((id) => [id, texts[id === part[0].id ? 1 : 0] ?? ""]));

    const refs = [{ at: "/rows", task: "t1", path: "/rows" }];
    const position = { vertex: { ...job, refs }, item: null };
    const atOnce = await resolveInput(position, { ...given(), outcomes: [part[0]] });
    expect(atOnce.kind).toBe("go");
    expect(await resolveInTurn(position, { ...given(read), outcomes: [part[1]] })).toEqual(atOnce);

    const graph = { tasks: { t0: job }, result: "t0" };
    const pipeline = { kind: "pipeline", graph, copies: 1 } as const;
    expect(await finishInTurn(pipeline, [whole[1]], read)).toEqual(finish(pipeline, [whole[0]]));
  });

  test("are the output of a whole, or too much for it", async () => {
    const graph = { tasks: { t0: job, t1: job }, result: "t0" };
    const pipeline = { kind: "pipeline", graph, copies: 1 } as const;
    const two = [0, 1];
    const { pages, read } = startReading();
    expect(
      await finishInTurn(
        pipeline,
        two.map((index) => leftOut[index] as Outcome),
        read,
      ),
    ).toEqual(
      finish(
        pipeline,
        two.map((index) => outcomes[index] as Outcome),
      ),
    );
    expect(pages).toEqual([1]);

    const copies = leftOut.map((it, index) => ({ ...it, name: `${index}.t0` }));
    const each = {
      kind: "each",
      graph: { tasks: { t0: job }, result: "t0" },
      copies: 200,
    } as const;
    expect(await finishInTurn(each, copies, read)).toMatchObject({
      kind: "fail",
      error: { code: "too-large" },
    });
    expect(pages).toHaveLength(2);
  });
});
