import { expect, test } from "vitest";
import { createGateway } from "../../gateway/index.ts";
import { connect, task } from "../../sdk/index.ts";
import { EngineRig } from "../support/engine-rig.ts";

const silent = { info: () => {}, warn: () => {}, error: () => {} };

test("workers that leave in order have gone, and give their places on the connection back", async () => {
  await using rig = await EngineRig.start();
  const gateway = await createGateway({
    service: rig.node.serviceOf,
    host: "127.0.0.1",
    port: 0,
    bounds: { workersMax: 2 },
    log: silent,
  });
  const kantoku = await connect(gateway.address.url);
  try {
    const job = task("job", {}, () => "done");
    const stays = await kantoku.work([job]);
    for (let times = 0; times < 3; times += 1) {
      await (await kantoku.work([job])).close();
      await (await kantoku.work([job])).drain();
    }
    const id = await rig.submit();
    await expect.poll(() => rig.status(id)).toBe("succeeded");
    await rig.advance(8_000);
    const workers = await kantoku.workers();
    const left = workers.filter(({ id }) => id !== stays.id).map(({ status }) => status);
    expect(left).toEqual(Array.from({ length: 6 }, () => "gone"));
  } finally {
    await kantoku.close();
    await gateway.close();
  }
});
