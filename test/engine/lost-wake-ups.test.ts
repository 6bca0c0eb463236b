import { expect, test } from "vitest";
import { EngineRig } from "../support/engine-rig.ts";
import { watch } from "../support/outcome.ts";

test("a waiter hears of an end whose commit's answer was lost together with the lease", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit();
  const seen = watch(rig.service.result({ id }));
  await rig.settle();
  const { store } = rig.node;
  store.plan({ fault: "lostAnswer" });
  store.plan({ fault: "unavailable", times: 1_000 });
  store.failNext("nodes.renew", 1_000);
  const completed = worker.complete(1).catch((error: unknown) => error);
  await rig.advance(12_000);
  await rig.store.nodes.remove(rig.node.engine.life.incarnation);
  store.heal();
  await rig.advance(20_000);
  expect(await completed).toMatchObject({ code: "busy" });
  expect(await worker.complete(1, worker.last.token)).toEqual({ answer: "recorded" });
  await rig.advance(5_000);
  expect(seen.value).toMatchObject({ output: 1 });
});

test("a waiter hears of an end brought about by a node that came and went", async () => {
  await using rig = await EngineRig.start();
  const id = await rig.submit();
  const seen = watch(rig.service.result({ id }));
  await rig.settle();
  const other = await rig.join();
  const worker = await rig.worker({}, other);
  await rig.settle();
  expect(await worker.complete(7)).toEqual({ answer: "recorded" });
  const stopping = other.engine.stop();
  await rig.advance(100);
  await stopping;
  await rig.advance(5_000);
  expect(seen.value).toMatchObject({ output: 7 });
});
