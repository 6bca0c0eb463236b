import { queryObjects } from "node:v8";
import { expect, test } from "vitest";
import { silentLog } from "../../runtime/index.ts";
import { startNode } from "../../runtime/node.ts";
import { systemClock } from "../../runtime/ports/clock.ts";
import { EngineService } from "../../runtime/service/service.ts";
import { createMemoryStore } from "../../runtime/store/memory/index.ts";

test("a namespace that somebody once named takes no memory", async () => {
  const node = await startNode({
    store: createMemoryStore({ clock: systemClock }),
    log: silentLog,
  });
  for (let index = 0; index < 1_000; index += 1) {
    await node.service(`namespace-${index}`).list({});
  }
  expect(queryObjects(EngineService, { format: "count" })).toBeLessThan(100);
  await node.stop();
});
