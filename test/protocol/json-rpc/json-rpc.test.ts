import { describe, expect, test } from "vitest";
import { toErrorCode } from "../../../sdk/protocol/error-code.ts";
import {
  batches,
  type Case,
  ids,
  methods,
  neverShown,
  type Outcome,
  outcomes,
  params,
  responses,
  specification,
  texts,
  versions,
} from "./cases.ts";
import { createFixture } from "./fixture.ts";

const groups: Readonly<Record<string, readonly Case[]>> = {
  "the specification's examples": specification,
  text: texts,
  version: versions,
  id: ids,
  method: methods,
  params: params,
  outcome: outcomes,
  "response-like": responses,
  batch: batches,
};

for (const [group, cases] of Object.entries(groups)) {
  describe(group, () => {
    test.each(cases)("%s", async (_name, frame, expected) => {
      const answer = await createFixture().answer(frame);
      if (expected === null) {
        expect(answer).toBeNull();
        return;
      }
      const sent: unknown = JSON.parse(answer ?? "nothing was sent");
      if (isList(expected)) {
        expect(Array.isArray(sent)).toBe(true);
        expect(sent).toHaveLength(expected.length);
        expected.forEach((outcome, index) => {
          expectReply((sent as unknown[])[index], outcome);
        });
      } else {
        expectReply(sent, expected);
      }
    });
  });
}

test("there are at least 120 cases", () => {
  expect(Object.values(groups).flat().length).toBeGreaterThanOrEqual(120);
});

test("whoever sends params that are no object hears what they must be", async () => {
  const answer = await createFixture().answer(
    '{"jsonrpc":"2.0","id":1,"method":"zero","params":null}',
  );
  expect(answer).toContain('"reason":"params must be an object"');
});

test("an unknown method's name is quoted, up to 200 characters of it", async () => {
  const call = { jsonrpc: "2.0", id: 1, method: "m".repeat(100_000) };
  const answer = await createFixture().answer(JSON.stringify(call));
  expect(JSON.parse(answer ?? "")).toMatchObject({ error: { data: { method: "m".repeat(200) } } });
});

test("a reply is exactly the three members, in the specification's order", async () => {
  const answer = await createFixture().answer('{"id":1,"method":"zero","jsonrpc":"2.0"}');
  expect(answer).toBe('{"jsonrpc":"2.0","id":1,"result":0}');
});

test("bytes that are not UTF-8 are a parse error", async () => {
  const answer = await createFixture().answer(Uint8Array.of(0x22, 0xc3, 0x28, 0x22));
  expectReply(JSON.parse(answer ?? ""), { id: null, error: -32700 });
});

test("an exception is logged under an id that no answer shows", async () => {
  const fixture = createFixture();
  const answer = await fixture.answer('{"jsonrpc":"2.0","method":"boom","id":1}');
  expect(fixture.logged).toHaveLength(1);
  expect(fixture.logged[0]?.["errorId"]).toBe("e1");
  expect(String(fixture.logged[0]?.["failure"])).toContain("hunter2");
  expect(answer).not.toContain("e1");
});

test("an error of kantoku's has its number, its stable code and its data", async () => {
  const answer = await createFixture().answer('{"jsonrpc":"2.0","method":"conflict","id":1}');
  expect(JSON.parse(answer ?? "")).toEqual({
    jsonrpc: "2.0",
    id: 1,
    error: { code: -32004, message: "taken", data: { code: "conflict", task: "t1" } },
  });
});

test("a batch that is too large runs nothing", async () => {
  const fixture = createFixture();
  const message = '{"jsonrpc":"2.0","method":"zero"}';
  await fixture.answer(`[${Array(101).fill(message).join(",")}]`);
  expect(fixture.ran).toEqual([]);
});

test("a frame leaves the prototypes alone", async () => {
  const fixture = createFixture();
  await fixture.answer('{"__proto__":{"polluted":1},"jsonrpc":"2.0","method":"zero","id":1}');
  await fixture.answer('{"jsonrpc":"2.0","method":"echo","params":{"__proto__":{"polluted":1}}}');
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

describe("answers that are too long", () => {
  const echo = (id: number, length: number) =>
    `{"jsonrpc":"2.0","method":"echo","params":["${"x".repeat(length)}"],"id":${id}}`;
  const envelopeLength = '{"jsonrpc":"2.0","id":1,"result":[""]}'.length;

  test("exactly at the limit passes, one byte over does not", async () => {
    const fixture = createFixture({ answerBytesMax: 1000 });
    const fits = await fixture.answer(echo(1, 1000 - envelopeLength));
    expect(fits).toHaveLength(1000);
    const over = await fixture.answer(echo(1, 1001 - envelopeLength));
    expectReply(JSON.parse(over ?? ""), { id: 1, error: -32008 });
  });

  test("bytes count, not characters", async () => {
    const fixture = createFixture({ answerBytesMax: 1000 });
    const frame = echo(1, 900 - envelopeLength).replace("xxxxxx", "é".repeat(106));
    expect(frame.length).toBeLessThan(1100);
    expectReply(JSON.parse((await fixture.answer(frame)) ?? ""), { id: 1, error: -32008 });
  });

  test("a batch fits at every limit, and at the exact one nothing is replaced", async () => {
    const batch = `[${echo(1, 700)},${echo(2, 300)},${echo(3, 500)}]`;
    const whole = ((await createFixture().answer(batch)) ?? "").length;
    for (let bytesMax = 800; bytesMax <= whole; bytesMax += 1) {
      const answer = (await createFixture({ answerBytesMax: bytesMax }).answer(batch)) ?? "";
      expect(answer.length).toBeLessThanOrEqual(bytesMax);
      expect(answer.includes("-32011")).toBe(bytesMax < whole);
    }
  });

  test("a batch keeps the answers that fit and names the others", async () => {
    const fixture = createFixture({ answerBytesMax: 2000 });
    const batch = `[${echo(1, 700)},${echo(2, 700)},${echo(3, 700)},${echo(4, 1)}]`;
    const answer = (await fixture.answer(batch)) ?? "";
    expect(Buffer.byteLength(answer)).toBeLessThanOrEqual(2000);
    const [first, second, third, fourth] = JSON.parse(answer) as Record<string, unknown>[];
    expect(first).toHaveProperty("result");
    expect(second).toHaveProperty("result");
    expectReply(third, { id: 3, error: -32011 });
    expectReply(fourth, { id: 4, error: -32011 });
  });
});

function isList(expected: Outcome | readonly Outcome[]): expected is readonly Outcome[] {
  return Array.isArray(expected);
}

function expectReply(reply: unknown, outcome: Outcome): void {
  const { jsonrpc, id, result, error } = reply as Record<string, unknown>;
  expect(jsonrpc).toBe("2.0");
  expect(id).toEqual(outcome.id);
  if ("result" in outcome) {
    expect(Object.keys(reply as object)).toEqual(["jsonrpc", "id", "result"]);
    expect(result).toEqual(outcome.result);
    return;
  }
  expect(Object.keys(reply as object)).toEqual(["jsonrpc", "id", "error"]);
  const { code, message, data } = error as { code: number; message: string; data: object };
  expect(code).toBe(outcome.error);
  if (outcome.message !== undefined) expect(message).toBe(outcome.message);
  expect(data).toHaveProperty("code", toErrorCode(code));
  for (const shown of neverShown) expect(JSON.stringify(error)).not.toContain(shown);
}
