import fc from "fast-check";

/** What a turn leaves its task as. */
const shapes = ["ready", "owned", "waiting", "running", "cancelling", "succeeded"] as const;
export type Shape = (typeof shapes)[number];

/** One turn of a batch, as plain data: tasks, workers and keys are numbers until they are applied. */
export type TurnPlan =
  | {
      readonly type: "submit";
      readonly key: number | null;
      readonly parent: number | null;
      readonly priority: number;
      readonly head: number;
      readonly shape: Shape;
      readonly worker: number;
    }
  | {
      readonly type: "turn";
      readonly task: number;
      readonly shape: Shape;
      readonly worker: number;
      /** At a seq that the task has left behind. */
      readonly outdated: boolean;
      /** Consumes every letter that was posted to the task and that no turn has consumed. */
      readonly consumes: boolean;
    }
  | {
      readonly type: "steps";
      readonly task: number;
      readonly count: number;
      /** At a seq that is taken. */
      readonly outdated: boolean;
    }
  | {
      readonly type: "worker";
      readonly worker: number;
      readonly status: "serving" | "draining" | "gone" | "lost";
    };

/** One thing asked of a store. Plain data, so that a failing sequence shrinks and can be kept. */
export type StoreOperation =
  | { readonly type: "commit"; readonly node: number; readonly plans: readonly TurnPlan[] }
  | { readonly type: "sendAgain"; readonly node: number }
  | { readonly type: "expire" | "renew" | "remove"; readonly node: number }
  | { readonly type: "free" }
  | {
      readonly type: "claim";
      readonly node: number;
      readonly heads: readonly number[];
      readonly limit: number;
    }
  | { readonly type: "depth"; readonly head: number; readonly cap: number }
  | {
      readonly type: "acquire";
      readonly node: number;
      readonly tasks: readonly number[];
      readonly worker: number | null;
    }
  | { readonly type: "acquireOfWorker"; readonly node: number; readonly worker: number }
  | { readonly type: "release"; readonly node: number; readonly tasks: readonly number[] }
  | { readonly type: "takeDue"; readonly node: number; readonly limit: number }
  | { readonly type: "post"; readonly task: number }
  | { readonly type: "collect"; readonly node: number; readonly limit: number }
  | { readonly type: "deleteOrphans" }
  | { readonly type: "deleteEnded" }
  | { readonly type: "watch" | "unwatch"; readonly node: number; readonly task: number }
  | { readonly type: "watchers"; readonly tasks: readonly number[] }
  | { readonly type: "readByKey"; readonly key: number }
  | {
      readonly type: "list";
      readonly status: Shape | null;
      readonly head: number | null;
      readonly beyond: number | null;
      readonly order: "ascending" | "descending";
      readonly limit: number;
    }
  | { readonly type: "renewWorkers"; readonly node: number; readonly workers: readonly number[] };

export const nodeCount = 3;
const workerCount = 3;
export const headCount = 3;
const keyCount = 6;
const taskNumberMax = 15;

const node = fc.nat(nodeCount - 1);
const worker = fc.nat(workerCount - 1);
const head = fc.nat(headCount - 1);
const key = fc.nat(keyCount - 1);
const task = fc.nat(taskNumberMax);
const tasks = fc.array(task, { minLength: 1, maxLength: 6 });
const limit = fc.integer({ min: 0, max: 5 });
// Ready tasks are what most operations are about.
const shape = fc.constantFrom<Shape>("ready", "ready", "waiting", ...shapes);

const turnPlan: fc.Arbitrary<TurnPlan> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("submit" as const),
      key: fc.option(key, { freq: 2 }),
      parent: fc.option(task, { freq: 2 }),
      priority: fc.nat(2),
      head,
      shape,
      worker,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("turn" as const),
      task,
      shape,
      worker,
      outdated: fc.nat(9).map((drawn) => drawn === 0),
      consumes: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("steps" as const),
      task,
      count: fc.integer({ min: 1, max: 3 }),
      outdated: fc.nat(9).map((drawn) => drawn === 0),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("worker" as const),
      worker,
      status: fc.constantFrom("serving", "draining", "gone", "lost"),
    }),
  },
);

function just<Type extends string>(type: Type): fc.Arbitrary<Type> {
  return fc.constant(type);
}

/** Anything that a store can be asked, weighted so that tasks live, move and die. */
export const storeOperation: fc.Arbitrary<StoreOperation> = fc.oneof(
  {
    weight: 16,
    arbitrary: fc.record({
      type: just("commit"),
      node,
      plans: fc.array(turnPlan, { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: just("claim"),
      node,
      heads: fc.array(head, { minLength: 1, maxLength: headCount }),
      limit,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ type: just("acquire"), node, tasks, worker: fc.option(worker) }),
  },
  { weight: 2, arbitrary: fc.record({ type: just("acquireOfWorker"), node, worker }) },
  { weight: 2, arbitrary: fc.record({ type: just("release"), node, tasks }) },
  { weight: 3, arbitrary: fc.record({ type: just("takeDue"), node, limit }) },
  { weight: 3, arbitrary: fc.record({ type: just("post"), task }) },
  { weight: 3, arbitrary: fc.record({ type: just("collect"), node, limit }) },
  { weight: 1, arbitrary: fc.record({ type: just("sendAgain"), node }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom("expire", "remove"), node }) },
  { weight: 2, arbitrary: fc.record({ type: just("renew"), node }) },
  { weight: 1, arbitrary: fc.record({ type: just("free") }) },
  { weight: 1, arbitrary: fc.record({ type: just("depth"), head, cap: limit }) },
  { weight: 1, arbitrary: fc.record({ type: just("deleteOrphans") }) },
  { weight: 1, arbitrary: fc.record({ type: just("deleteEnded") }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constantFrom("watch", "watch", "unwatch"), node, task }),
  },
  { weight: 1, arbitrary: fc.record({ type: just("watchers"), tasks }) },
  { weight: 1, arbitrary: fc.record({ type: just("readByKey"), key }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: just("list"),
      status: fc.option(shape),
      head: fc.option(head),
      beyond: fc.option(task),
      order: fc.constantFrom("ascending", "descending"),
      limit,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: just("renewWorkers"),
      node,
      workers: fc.array(worker, { maxLength: workerCount }),
    }),
  },
);

export const storeOperations: fc.Arbitrary<readonly StoreOperation[]> = fc.array(storeOperation, {
  minLength: 20,
  maxLength: 80,
  size: "max",
});
