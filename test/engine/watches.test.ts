import { expect, test } from "vitest";
import { EngineRig, type RigNode } from "../support/engine-rig.ts";
import { Listener } from "../support/listener.ts";

function incarnationOf({ engine }: RigNode): string {
  return engine.life.incarnation;
}

test("who waited while it was alone hears at once of a node that came later", async () => {
  await using rig = await EngineRig.start();
  const id = await rig.submit();
  const listener = new Listener();
  await rig.service.subscribe({ id }, listener);
  await rig.settle();
  const other = await rig.join();
  await rig.advance(5_000);
  const worker = await rig.worker({}, other);
  await rig.settle();
  expect(worker.assignments).toHaveLength(1);
  expect(listener.seqs).toEqual([1, 2]);
  await worker.complete();
  await rig.settle();
  expect(listener.ends).toEqual(["ended"]);
});

test("a watch that could not be written is written by the poll", async () => {
  await using rig = await EngineRig.start();
  const other = await rig.join();
  await rig.advance(3_000);
  const id = await rig.submit();
  other.store.failNext("watches.watch");
  await other.service.subscribe({ id }, new Listener());
  await rig.settle();
  expect(await rig.store.watches.watchers([id])).toEqual([]);
  await rig.advance(1_000);
  const watches = [{ node: incarnationOf(other), task: id }];
  expect(await rig.store.watches.watchers([id])).toEqual(watches);
});

test("a watch ends with its waiter, though the other nodes were gone before", async () => {
  await using rig = await EngineRig.start();
  const other = await rig.join();
  await rig.advance(3_000);
  const id = await rig.submit();
  const subscription = await other.service.subscribe({ id }, new Listener());
  await rig.settle();
  expect(await rig.store.watches.watchers([id])).toHaveLength(1);
  rig.node.crash();
  await rig.advance(30_000);
  expect(other.engine.life.lease.nodeCount).toBe(1);
  subscription.close();
  await rig.settle();
  expect(await rig.store.watches.watchers([id])).toEqual([]);
});

test("a life that is over writes no more watches", async () => {
  await using rig = await EngineRig.start();
  const other = await rig.join();
  await rig.advance(3_000);
  const [first, second] = [await rig.submit(), await rig.submit()];
  const before = incarnationOf(other);
  const release = other.store.holdAnswers("watches.watch");
  await other.service.subscribe({ id: first }, new Listener());
  await rig.settle();
  await other.service.subscribe({ id: second }, new Listener());
  await rig.settle();
  await rig.store.nodes.remove(before);
  await rig.advance(5_000);
  expect(incarnationOf(other)).not.toBe(before);
  release();
  await rig.advance(5_000);
  const watching = (await rig.store.watches.watchers([first, second])).map(({ node }) => node);
  expect(watching).toEqual([incarnationOf(other), incarnationOf(other)]);
});

test("a node knows of the others from its beginning on, and so watches", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit();
  await rig.advance(2_400);
  const other = await rig.join();
  // The first node has renewed its lease meanwhile, the other has not.
  await rig.advance(200);
  const listener = new Listener();
  await other.service.subscribe({ id }, listener);
  await rig.settle();
  await worker.complete();
  await rig.settle();
  expect(listener.ends).toEqual(["ended"]);
});
