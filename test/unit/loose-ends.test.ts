import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { LooseEnds } from "../../sdk/worker/loose-ends.ts";
import { settle } from "../support/manual-clock.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

function createEnds() {
  const told: unknown[] = [];
  return { told, ends: new LooseEnds((failure) => told.push(failure)) };
}

async function failLater(): Promise<never> {
  await settle();
  throw new Error("no");
}

describe("a promise that a function was given", () => {
  test("fails with the line of the function that awaits it, as a plain one does", async () => {
    const { ends } = createEnds();
    async function authorsFunction() {
      await ends.hold(failLater());
    }
    const failure: Error = await authorsFunction().catch((error) => error);
    expect(failure.stack).toContain("authorsFunction");
  });

  const listening: [string, (promise: Promise<unknown>) => Promise<unknown>][] = [
    ["an await", async (promise) => await promise],
    ["a return", async (promise) => promise],
    ["then", (promise) => promise.then(() => {})],
    ["catch", (promise) => promise.catch(() => {})],
    ["finally", (promise) => promise.finally(() => {})],
    ["all", (promise) => Promise.all([promise])],
    ["race", (promise) => Promise.race([promise, settle()])],
  ];
  test.each(listening)("is listened to by %s, before it fails and after", async (_by, listen) => {
    const { ends, told } = createEnds();
    await listen(ends.hold(failLater())).catch(() => {});
    const failed = ends.hold(failLater());
    await settle();
    await settle();
    await listen(failed).catch(() => {});
    ends.close();
    expect(told).toEqual([]);
  });

  test("is told of by what was made of it with then, where nobody listens to that", async () => {
    const { ends, told } = createEnds();
    const parts = ["a", "b"].map((name) =>
      ends.hold(failLater()).then(
        () => name,
        (failure: Error) => {
          throw new Error(`${failure.message}, says ${name}`);
        },
      ),
    );
    void ends.hold(settle()).finally(() => failLater());
    // One after the other: the second fails while only the first is awaited.
    const failure: Error = await (parts[0] ?? settle()).catch((error) => error);
    expect(failure.message).toBe("no, says a");
    await settle();
    await settle();
    expect(told).toEqual([]);
    ends.close();
    expect(told.map((it) => (it as Error).message).sort()).toEqual(["no", "no, says b"]);
  });

  test("is not kept when somebody listened to its failure, nor when it went well", async () => {
    const { ends } = createEnds();
    const held: WeakRef<object>[] = [];
    for (let n = 0; n < 10; n += 1) {
      const failed = ends.hold(failLater());
      held.push(new WeakRef(failed), new WeakRef(await failed.catch((error) => error)));
      held.push(new WeakRef(ends.hold(settle())));
    }
    await settle();
    await settle();
    collectGarbage();
    // The last may still lie on the stack.
    expect(held.slice(0, -3).filter((ref) => ref.deref() !== undefined)).toEqual([]);
    ends.close();
  });
});
