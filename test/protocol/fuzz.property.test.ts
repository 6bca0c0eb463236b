import fc from "fast-check";
import { expect, test } from "vitest";
import { methods } from "../../gateway/methods/index.ts";
import { GatewayRig } from "../support/gateway-rig.ts";
import { createFixture } from "./json-rpc/fixture.ts";
import { judge, type Verdict } from "./json-rpc/oracle.ts";

/** Enough for every day; a night can take millions. */
const framesPerRun = 4000;
const socketRoundsPerRun = 60;

const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 4 }),
  fc.constantFrom(null, true, "", 0, -0, 1.5, 2 ** 53, "2.0", "\ud800", "x".repeat(300), [], {}),
);
const method = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("zero", "echo", "later", "void", "empty") },
  fc.constantFrom("nope", "__proto__", "constructor", "rpc.x", ""),
);
const id = fc.oneof(
  { weight: 4, arbitrary: fc.oneof(fc.integer(), fc.string(), fc.constant(null)) },
  odd,
);
const params = fc.oneof(fc.array(fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue()), odd);

/** A valid request with members dropped, retyped, doubled, added. */
const message = fc
  .record(
    { jsonrpc: fc.constant("2.0"), method, params, id },
    { requiredKeys: ["jsonrpc", "method"] },
  )
  .chain((request) =>
    fc
      .record({
        dropped: fc.option(fc.constantFrom("jsonrpc", "method", "params", "id"), { freq: 6 }),
        changed: fc.option(
          fc.tuple(
            fc.constantFrom("jsonrpc", "method", "params", "id", "result", "error", "__proto__"),
            odd,
          ),
          { freq: 3 },
        ),
      })
      .map(({ dropped, changed }) => {
        const members: [string, unknown][] = Object.entries(request).filter(
          ([name]) => name !== dropped,
        );
        if (changed !== null) members.push(changed);
        const texts = members.map(([name, value]) => `${JSON.stringify(name)}:${toText(value)}`);
        return `{${texts.join(",")}}`;
      }),
  );

const frame = fc
  .oneof(
    { weight: 5, arbitrary: message },
    {
      weight: 3,
      arbitrary: fc
        .array(fc.oneof({ weight: 8, arbitrary: message }, odd.map(toText)), { maxLength: 8 })
        .map((messages) => `[${messages.join(",")}]`),
    },
    { weight: 1, arbitrary: fc.integer({ min: 60, max: 80 }).map(nest) },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: fc.string() },
  )
  .chain((text) =>
    fc
      .option(
        fc.tuple(fc.nat(text.length), fc.constantFrom("", '"', "{", "]", ",", "\\", "\u0000")),
        {
          freq: 8,
        },
      )
      .map((cut) =>
        cut === null ? text : text.slice(0, cut[0]) + cut[1] + text.slice(cut[0] + 1),
      ),
  );

test("frame by frame, the gateway says what a naive reading of the rules says", async () => {
  const fixture = createFixture();
  const known = new Set(["zero", "echo", "later", "void", "empty"]);
  await fc.assert(
    fc.asyncProperty(frame, async (text) => {
      const wellFormed = text.toWellFormed();
      const answer = await fixture.answer(wellFormed);
      expect(answer === null ? null : summarise(JSON.parse(answer))).toEqual(
        judge(wellFormed, known),
      );
    }),
    { numRuns: framesPerRun },
  );
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

test("bytes of any kind are answered or not, and nothing breaks", async () => {
  const fixture = createFixture();
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      const answer = await fixture.answer(bytes);
      if (answer !== null) JSON.parse(answer);
    }),
    { numRuns: framesPerRun },
  );
});

test("whatever the real methods are given, each call is answered once and no failure is ours", async () => {
  await using rig = await GatewayRig.start();
  const peer = await rig.connect();
  const names = methods.map(({ name }) => name).filter((name) => !waits.has(name));
  const memberNames = ["id", "key", "token", "definition", "input", "after", "worker", "attempts"];
  const given = fc.oneof(fc.dictionary(fc.constantFrom(...memberNames), odd), odd);
  let sentCount = 0;
  const calls = fc.array(fc.tuple(fc.constantFrom(...names), given), {
    minLength: 1,
    maxLength: 100,
  });
  await fc.assert(
    fc.asyncProperty(calls, async (round) => {
      const before = peer.messages.length;
      for (const [name, params] of round) {
        sentCount += 1;
        peer.send(
          `{"jsonrpc":"2.0","id":${sentCount},"method":"${name}","params":${toText(params)}}`,
        );
      }
      await peer.call("session.ping");
      await peer.until(() => answersSince(before) === round.length + 1);
      for (const { error } of peer.messages.slice(before)) expect(error?.code).not.toBe(-32603);
    }),
    { numRuns: socketRoundsPerRun },
  );
  expect(rig.log).toEqual([]);

  function answersSince(before: number): number {
    return peer.messages.slice(before).filter(({ method }) => method === undefined).length;
  }
});

/** These answer when a task ends, and none ends here. */
const waits = new Set(["task.run", "task.result"]);

function summarise(answer: unknown): Verdict | readonly Verdict[] {
  if (Array.isArray(answer)) return answer.map((reply) => summarise(reply) as Verdict);
  const { id, error } = answer as { id: unknown; error?: { code: number } };
  return { id, code: error?.code ?? 0 };
}

function toText(value: unknown): string {
  return Object.is(value, -0) ? "-0" : JSON.stringify(value);
}

function nest(depth: number): string {
  return `{"jsonrpc":"2.0","id":1,"method":"echo","params":${"[".repeat(depth)}${"]".repeat(depth)}}`;
}
