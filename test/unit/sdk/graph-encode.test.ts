import { describe, expect, test } from "vitest";
import type { CallData } from "../../../sdk/call.ts";
import { task } from "../../../sdk/definition.ts";
import { all } from "../../../sdk/graph/all.ts";
import { each } from "../../../sdk/graph/each.ts";
import { encodeGraph } from "../../../sdk/graph/encode.ts";
import { pipeline } from "../../../sdk/graph/pipeline.ts";
import type { Pending } from "../../../sdk/graph/reference.ts";
import { toCall } from "../../../sdk/graph/value.ts";
import { limits } from "../../../sdk/protocol/limits.ts";

interface Page {
  readonly body: string;
  readonly images: readonly { readonly url: string }[];
  readonly "a/b~c": number;
}

const download = task("download", { version: "2", labels: { team: "a" } }, (): Page => {
  throw new Error("never runs here");
});
const use = task("use", {}, (_: unknown) => ({ total: 1, ok: true }));
const maybe = task("maybe", {}, (): string | undefined => undefined);
const listed = task("listed", {}, () => [[1], [2]]);

const downloadVertex = { definition: "download", version: "2", labels: { team: "a" } };

function graphOf(call: CallData) {
  const graph = encodeGraph(call);
  if (graph === null) throw new Error("nothing is composed");
  return graph;
}

function vertexOf(call: CallData, name = "use") {
  return graphOf(call).tasks[name];
}

describe("a call that depends on nothing", () => {
  test.each<[string, CallData]>([
    ["plain", use({ a: [1, { b: null }] })],
    ["without an input", use()],
    ["with options only", use(1).with({ priority: 3, name: "alone" })],
    ["whose input looks like a reference", use({ task: "x", refs: [{ at: "", task: "x" }] })],
    ["known by name only", { definition: "by-name", input: { definition: "x", input: 1 } }],
    ["of a pipeline", pipeline("p", {}, () => use(1))()],
  ])("%s: no graph", (_, call) => {
    expect(encodeGraph(call)).toBeNull();
  });
});

describe("a reference in an input", () => {
  const page = download();
  const reshaped = page.map(({ body }) => ({ text: body }));

  test.each<[string, unknown, unknown]>([
    ["a call as the whole", page, { refs: [{ at: "", task: "download" }] }],
    [
      "a call inside",
      { page, title: "x" },
      { input: { page: null, title: "x" }, refs: [{ at: "/page", task: "download" }] },
    ],
    ["in a list", [1, page], { input: [1, null], refs: [{ at: "/1", task: "download" }] }],
    [
      "a path",
      { deep: { text: page.output.body } },
      {
        input: { deep: { text: null } },
        refs: [{ at: "/deep/text", task: "download", path: "/body" }],
      },
    ],
    [
      "a path through a list, and keys to escape",
      { "~/": page.output.images[0]?.url, n: page.output["a/b~c"] },
      {
        input: { "~/": null, n: null },
        refs: [
          { at: "/~0~1", task: "download", path: "/images/0/url" },
          { at: "/n", task: "download", path: "/a~1b~0c" },
        ],
      },
    ],
    [
      "reshaped",
      reshaped,
      { refs: [{ at: "", task: "download", preprocessor: "({ body }) => ({ text: body })" }] },
    ],
    [
      "a path reshaped",
      page.output.body.map((body) => body.length),
      {
        refs: [{ at: "", task: "download", path: "/body", preprocessor: "(body) => body.length" }],
      },
    ],
    [
      "reshaped twice",
      page.map(() => 1).map(() => 2),
      {
        refs: [
          { at: "", of: { task: "download", preprocessor: "() => 1" }, preprocessor: "() => 2" },
        ],
      },
    ],
    [
      "a path of the reshaped",
      reshaped.text,
      {
        refs: [
          {
            at: "",
            of: { task: "download", preprocessor: "({ body }) => ({ text: body })" },
            path: "/text",
          },
        ],
      },
    ],
    [
      "joined by name, and picked from",
      all({ a: page, b: page.output.body }).a,
      {
        refs: [
          {
            at: "",
            all: { a: { task: "download" }, b: { task: "download", path: "/body" } },
            path: "/a",
          },
        ],
      },
    ],
    [
      "joined in order, and reshaped",
      all([page, page.output.body]).map(([a]) => a),
      {
        refs: [
          {
            at: "",
            all: [{ task: "download" }, { task: "download", path: "/body" }],
            preprocessor: "([a]) => a",
          },
        ],
      },
    ],
    [
      "a field that is called map",
      use().map(() => ({ map: 1 })).map,
      { refs: [{ at: "", of: { task: "use", preprocessor: "() => ({ map: 1 })" }, path: "/map" }] },
    ],
  ])("%s", (_, input, expected) => {
    const graph = graphOf(use(input).with({ name: "result" }));
    expect(graph.result).toBe("result");
    expect(graph.tasks["result"]).toEqual({ definition: "use", ...(expected as object) });
  });

  test("leaves the input as it was", () => {
    const input = { page, list: [page.output.body] };
    graphOf(use(input));
    expect(input.page).toBe(page);
  });
});

describe("the tasks of a graph", () => {
  test("stand in an order in which they could run, numbered by definition", () => {
    const [a, b] = [download(), download()];
    const graph = graphOf(use({ a, b: use(b), again: a }));
    expect(graph).toEqual({
      tasks: {
        download: downloadVertex,
        "download-2": downloadVertex,
        use: { definition: "use", refs: [{ at: "", task: "download-2" }] },
        "use-2": {
          definition: "use",
          input: { a: null, b: null, again: null },
          refs: [
            { at: "/a", task: "download" },
            { at: "/b", task: "use" },
            { at: "/again", task: "download" },
          ],
        },
      },
      result: "use-2",
    });
    expect(Object.keys(graph.tasks)).toEqual(["download", "download-2", "use", "use-2"]);
  });

  test("are numbered within the longest name that there is", () => {
    const long = task("l".repeat(limits.nameLengthMax), {}, (_: unknown) => 1);
    const near = task("l".repeat(limits.nameLengthMax - 1), {}, (_: unknown) => 1);
    const names = Object.keys(graphOf(use([long(1), long(2), near(1), near(2)])).tasks);
    expect(names.toSorted()).toEqual(
      [
        long.name,
        near.name,
        `${"l".repeat(limits.nameLengthMax - 2)}-2`,
        `${"l".repeat(limits.nameLengthMax - 2)}-3`,
        "use",
      ].toSorted(),
    );
  });

  test("keep the names that they were given, and no other takes them", () => {
    const named = use(1).with({ name: "use-2" });
    const graph = graphOf(use([use(0), use(2), named]));
    expect(Object.keys(graph.tasks)).toEqual(["use", "use-3", "use-2", "use-4"]);
    expect(graph.tasks["use-2"]).toEqual({ definition: "use", input: 1 });
  });

  test("carry what was said of them", () => {
    const before = [use(1), use(2)] as const;
    const call = use(3)
      .after(before[0])
      .after(before[1], before[0])
      .onFailure("allow")
      .with({ priority: 1, labels: { a: "1" } })
      .with({ retry: { maxAttempts: 2, min: "1s" }, timeout: "2s", attemptTimeout: 5 })
      .with({ startAt: new Date(7), metadata: { m: 1 } });
    expect(vertexOf(call, "use-3")).toEqual({
      definition: "use",
      input: 3,
      after: ["use", "use-2"],
      onFailure: "allow",
      priority: 1,
      labels: { a: "1" },
      retry: { maxAttempts: 2, minMs: 1000 },
      timeoutMs: 2000,
      attemptTimeoutMs: 5,
      startAt: 7,
      metadata: { m: 1 },
    });
  });

  test.each<[string, CallData, unknown]>([
    ["by a whole output", use(1).when(listed()), { task: "listed" }],
    [
      "by a reshaped value",
      use(1).when(listed().map((rows) => rows.length > 1)),
      { task: "listed", preprocessor: "(rows) => rows.length > 1" },
    ],
    [
      "by equality",
      use(1).when(download().output.body, { equals: "x" }),
      { task: "download", path: "/body", equals: "x" },
    ],
    [
      "by nothing, which JSON calls null",
      use(1).when(maybe(), { equals: undefined }),
      { task: "maybe", equals: null },
    ],
  ])("run on a condition %s", (_, call, when) => {
    expect(vertexOf(call)?.when).toEqual(when);
  });
});

describe("each", () => {
  test("copies what its body makes, and is given what it closes over", () => {
    const config = use("config");
    const before = use("before");
    const thumbs = each(
      download().output.images,
      (item) => {
        const size = config.output.total;
        const inner = use({ url: item.url, size, again: size, all: item });
        const joined = all({ item, doubled: size.map((n) => n * 2) }).map((both) => both);
        return use({ inner, joined }).after(before).when(config.output.ok);
      },
      { limit: 10 },
    ).with({ name: "thumbs" });
    expect(graphOf(thumbs)).toEqual({
      tasks: {
        download: downloadVertex,
        use: { definition: "use", input: "config" },
        "use-2": { definition: "use", input: "before" },
        thumbs: {
          limit: 10,
          input: { items: null, given: { total: null, "total-2": null, ok: null } },
          refs: [
            { at: "/items", task: "download", path: "/images" },
            { at: "/given/total", task: "use", path: "/total" },
            { at: "/given/total-2", task: "use", path: "/total", preprocessor: "(n) => n * 2" },
            { at: "/given/ok", task: "use", path: "/ok" },
          ],
          after: ["use-2"],
          each: {
            tasks: {
              use: {
                definition: "use",
                input: { url: null, size: null, again: null, all: null },
                refs: [
                  { at: "/url", item: true, path: "/url" },
                  { at: "/size", input: true, path: "/total" },
                  { at: "/again", input: true, path: "/total" },
                  { at: "/all", item: true },
                ],
              },
              "use-2": {
                definition: "use",
                input: { inner: null, joined: null },
                refs: [
                  { at: "/inner", task: "use" },
                  {
                    at: "/joined",
                    all: { item: { item: true }, doubled: { input: true, path: "/total-2" } },
                    preprocessor: "(both) => both",
                  },
                ],
                when: { input: true, path: "/ok" },
              },
            },
            result: "use-2",
          },
        },
      },
      result: "thumbs",
    });
  });

  test("hands what an inner one needs through the outer one", () => {
    const config = use();
    const grid = each(listed(), (row) => each(row, (cell) => use({ row, cell, config })));
    const outer = graphOf(grid).tasks["each"];
    expect(outer).toMatchObject({
      input: { items: null, given: { use: null } },
      refs: [
        { at: "/items", task: "listed" },
        { at: "/given/use", task: "use" },
      ],
      each: {
        tasks: {
          each: {
            input: { items: null, given: { item: null, use: null } },
            refs: [
              { at: "/items", item: true },
              { at: "/given/item", item: true },
              { at: "/given/use", input: true, path: "/use" },
            ],
            each: {
              tasks: {
                use: {
                  refs: [
                    { at: "/row", input: true, path: "/item" },
                    { at: "/cell", item: true },
                    { at: "/config", input: true, path: "/use" },
                  ],
                },
              },
            },
          },
        },
      },
    });
  });

  test("is two tasks where a second one was derived from it", () => {
    const first = each(listed(), (row) => use(row));
    const { tasks } = graphOf(use([first, first.after(first).with({ name: "second" })]));
    expect(Object.keys(tasks)).toEqual(["listed", "each", "second", "use"]);
    expect(tasks["second"]).toEqual({ ...tasks["each"], after: ["each"] });
  });

  test("takes a list that is there", () => {
    const page = download();
    expect(
      vertexOf(
        each(["a", page.output.body], (item) => use(item)),
        "each",
      ),
    ).toEqual({
      input: { items: ["a", null] },
      refs: [{ at: "/items/1", task: "download", path: "/body" }],
      each: {
        tasks: { use: { definition: "use", refs: [{ at: "", item: true }] } },
        result: "use",
      },
    });
  });
});

describe("a value to come that is run itself", () => {
  test("is a task that nobody does", () => {
    const call = toCall(use(1).map(({ total }) => total + 1));
    expect(graphOf(call)).toEqual({
      tasks: {
        use: { definition: "use", input: 1 },
        value: {
          value: true,
          refs: [{ at: "", task: "use", preprocessor: "({ total }) => total + 1" }],
        },
      },
      result: "value",
    });
  });

  test("is what a body may give", () => {
    const sizes = each(listed(), (item) => item.map((it) => it.length));
    expect(vertexOf(sizes, "each")).toMatchObject({
      each: {
        tasks: { value: { refs: [{ at: "", item: true, preprocessor: "(it) => it.length" }] } },
        result: "value",
      },
    });
    const named = pipeline("named", {}, (input: Pending<{ url: string }>) =>
      all({ url: input.url, page: download() }),
    );
    expect(named.graph.tasks["value"]).toEqual({
      value: true,
      refs: [{ at: "", all: { url: { input: true, path: "/url" }, page: { task: "download" } } }],
    });
  });

  test("leaves a call, and the data of one, as it is", () => {
    const call = use(1);
    const data = { definition: "use" };
    expect(toCall(call)).toBe(call);
    expect(toCall(data)).toBe(data);
  });
});
