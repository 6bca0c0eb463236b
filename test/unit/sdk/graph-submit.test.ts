import type { StandardSchemaV1 } from "@standard-schema/spec";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createClient } from "../../../sdk/client/kantoku.ts";
import { task } from "../../../sdk/definition.ts";
import { each } from "../../../sdk/graph/each.ts";
import { pipeline } from "../../../sdk/graph/pipeline.ts";
import type { Service } from "../../../sdk/protocol/service.ts";

const use = task("use", { labels: { team: "a" } }, (_: unknown) => ({ total: 1 }));
const inner = pipeline("inner", {}, (input) => use(input));
const outer = pipeline("outer", {}, (input) => use(inner(input)));
const versions: Record<string, string> = { inner: inner.version, outer: outer.version };

/** A client, and what its service was asked for. */
function recording({ register = async (_: string) => {} } = {}) {
  const asked: [method: string, params: unknown][] = [];
  const service: Partial<Service> = {
    submit: async (params) => {
      asked.push(["submit", params]);
      return { id: "t", status: "waiting", created: true };
    },
    run: async (params) => {
      asked.push(["run", params]);
      return { id: "t", status: "succeeded", output: 1 };
    },
    registerPipeline: async ({ name, ...body }) => {
      asked.push(["registerPipeline", name]);
      await register(name);
      return { name, ...body, version: versions[name] ?? "", registeredAt: 0 };
    },
  };
  return { asked, kantoku: createClient(service as Service) };
}

describe("a composed call", () => {
  test("is sent as its graph, at once, with what was said of the whole", async () => {
    const { asked, kantoku } = recording();
    const running = kantoku.run(use(use(1).with({ name: "first" })), {
      idempotencyKey: "k",
      priority: 2,
      labels: { of: "whole" },
      metadata: { m: 1 },
      timeout: "1m",
      startAt: new Date(7),
      waitMs: 5,
    });
    expect(asked).toEqual([
      [
        "run",
        {
          graph: {
            tasks: {
              first: { definition: "use", input: 1, labels: { team: "a" } },
              use: {
                definition: "use",
                refs: [{ at: "", task: "first" }],
                labels: { team: "a" },
              },
            },
            result: "use",
          },
          idempotencyKey: "k",
          priority: 2,
          labels: { of: "whole" },
          metadata: { m: 1 },
          timeoutMs: 60_000,
          startAt: 7,
          waitMs: 5,
        },
      ],
    ]);
    expect(await running).toBe(1);
    await kantoku.submit(use(use(1)));
    expect(asked[1]?.[1]).toMatchObject({
      idempotencyKey: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  test("rejects what belongs to one of its tasks, and what is no graph", async () => {
    const { asked, kantoku } = recording();
    const composed = use(use(1));
    await expect(kantoku.run(composed, { attemptTimeout: 1, retry: {} })).rejects.toMatchObject({
      code: "invalid-params",
      message: "a graph has no attemptTimeout, retry; say it of a call in it: call.with({ … })",
    });
    await expect(kantoku.submit(use([1, use(1).with({ name: "no name" })]))).rejects.toMatchObject({
      code: "invalid-definition",
      data: { problems: ['"no name" is not a name for a task'] },
    });
    expect(asked).toEqual([]);
  });
});

test("options of a single call are those of its submission, unless that has others", async () => {
  const { asked, kantoku } = recording();
  const call = use(1).with({
    priority: 1,
    timeout: "1s",
    labels: { a: "1", b: "1" },
    startAt: new Date(5),
  });
  await kantoku.submit(call, { idempotencyKey: "k", priority: 7, labels: { b: "2" } });
  expect(asked[0]?.[1]).toEqual({
    definition: "use",
    input: 1,
    idempotencyKey: "k",
    priority: 7,
    timeoutMs: 1000,
    startAt: 5,
    labels: { team: "a", a: "1", b: "2" },
  });
});

describe("a pipeline's call", () => {
  test("is sent when it and all that it uses are registered, once", async () => {
    const { asked, kantoku } = recording();
    await kantoku.submit(outer(1), { idempotencyKey: "k" });
    await kantoku.submit(use(inner(2)));
    expect(asked.map(([method, params]) => (method === "submit" ? method : params))).toEqual([
      "inner",
      "outer",
      "submit",
      "submit",
    ]);
    expect(asked[2]?.[1]).toEqual({
      definition: "outer",
      version: outer.version,
      input: 1,
      idempotencyKey: "k",
    });
  });

  test("is registered anew after a failure", async () => {
    let failures = 1;
    const { asked, kantoku } = recording({
      register: async () => {
        if (failures-- > 0) throw new Error("away");
      },
    });
    await expect(kantoku.run(inner(1))).rejects.toThrow("away");
    expect(await kantoku.run(inner(1))).toBe(1);
    expect(asked.map(([method]) => method)).toEqual([
      "registerPipeline",
      "registerPipeline",
      "run",
    ]);
  });

  test("is not sent where its version is another one", async () => {
    const { asked, kantoku } = recording();
    const stranger = pipeline("inner", {}, () => use(0));
    await expect(kantoku.run(stranger())).rejects.toMatchObject({ code: "mismatch" });
    expect(asked).toEqual([["registerPipeline", "inner"]]);
  });
});

describe("an input that a pipeline's schema refuses", () => {
  const size = z.object({ size: z.number() });
  const strict = pipeline("strict", { input: size }, ({ size }) => use(size));
  const wrong = { size: "1" } as unknown as { size: number };
  const around = pipeline("around", {}, () => use(strict(wrong)));

  test.each([
    ["a call", strict(wrong)],
    ["a call without one", Reflect.apply(strict, undefined, []) as unknown],
    ["a call in a graph", use([strict({ size: 1 }), strict(wrong)])],
    ["a call in an each", each([1], (n) => use([n, strict(wrong)]))],
    ["a call in the body of another pipeline", around()],
  ])("of %s is told before anything is sent", async (_, call) => {
    const { asked, kantoku } = recording();
    const refusal = {
      name: "SchemaMismatch",
      code: "invalid-input",
      message: expect.stringMatching(/^invalid-input of pipeline strict: (size|value): /),
    };
    await expect(kantoku.run(call as never)).rejects.toMatchObject(refusal);
    await expect(kantoku.submit(call as never)).rejects.toMatchObject(refusal);
    expect(asked).toEqual([]);
  });

  test("may be found by a schema that takes its time", async () => {
    const slow: StandardSchemaV1<string> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: async (value) =>
          value === "right" ? { value } : { issues: [{ message: "it is wrong" }] },
      },
    };
    const patient = pipeline("patient", { input: slow }, (input) => use(input));
    versions["patient"] = patient.version;
    const { asked, kantoku } = recording();
    await expect(kantoku.run(patient("wrong"))).rejects.toMatchObject({
      code: "invalid-input",
      issues: [{ path: "", message: "it is wrong" }],
    });
    expect(asked).toEqual([]);
    expect(await kantoku.run(patient("right"))).toBe(1);
  });

  test("is for those who check it later where a part of it is to come", async () => {
    versions["strict"] = strict.version;
    const { asked, kantoku } = recording();
    await kantoku.submit(strict({ size: use(1).output.total }));
    expect(asked.map(([method]) => method)).toEqual(["registerPipeline", "submit"]);
  });
});

test("what a pipeline's schema takes is sent as it was given", async () => {
  const coerced = pipeline("coerced", { input: z.string().transform(Number) }, (n) => use(n));
  versions["coerced"] = coerced.version;
  const { asked, kantoku } = recording();
  await kantoku.submit(coerced("7"));
  expect(asked[1]?.[1]).toMatchObject({ definition: "coerced", input: "7" });
});
