import { expect, test } from "vitest";
import type { Preprocessing } from "../../runtime/ports/preprocessing.ts";
import { run, startBench } from "../support/graph-bench.ts";

/** As many letters as one look takes. */
const lettersAtOnce = 200;

test("tasks whose preprocessors take long hold up no other letter", async () => {
  const { promise: whenFreed, resolve: free } = Promise.withResolvers<void>();
  const preprocessing: Preprocessing = {
    check: () => [],
    async run({ input }) {
      await whenFreed;
      return { output: input, source: "hash of source", input: "hash of input" };
    },
    close: async () => {},
  };
  const { rig, bench } = await startBench({ preprocessing });
  await using _ = rig;
  const at = (preprocessor: string) => ({ refs: [{ at: "", input: true, preprocessor }] as const });
  const names = Array.from({ length: lettersAtOnce }, (_, n) => `t${n}`);
  await bench.submit(Object.fromEntries(names.map((name) => [name, run("b", at("slow"))])));
  // A letter, too, but none for the sandbox, where one namespace has only so many tasks at once.
  await bench.submit({ v: { value: true }, a: run("a", { refs: [{ at: "", task: "v" }] }) });
  await rig.advance(10);
  expect(bench.worker.assignments.map(({ definition }) => definition)).toEqual(["a"]);
  expect(rig.node.store.countOf("mail.collect")).toBeLessThan(10);
  free();
});
