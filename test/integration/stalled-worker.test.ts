import { expect, test } from "vitest";
import { createGateway } from "../../gateway/index.ts";
import { connect, task } from "../../sdk/index.ts";
import { EngineRig } from "../support/engine-rig.ts";
import { HandClock } from "../support/hand-clock.ts";
import { ManualClock } from "../support/manual-clock.ts";

const silent = { info: () => {}, warn: () => {}, error: () => {} };

test("a worker that stalls for longer than its lease, with its socket open, serves again", async () => {
  await using rig = await EngineRig.start();
  const gateway = await createGateway({
    service: rig.node.serviceOf,
    host: "127.0.0.1",
    port: 0,
    clock: new HandClock(),
    log: silent,
  });
  // The process's own clock: while it stands still, so does the process.
  const clock = new ManualClock();
  const kantoku = await connect(gateway.address.url, { clock });
  try {
    const begun: string[] = [];
    const gate = Promise.withResolvers<string>();
    const job = task("job", {}, (_input, ctx) => {
      begun.push(`${ctx.task}.${ctx.attempt}`);
      return ctx.attempt === 1 ? gate.promise : "again";
    });
    const worker = await kantoku.work([job], { slots: 2 });
    const ends: string[] = [];
    void worker.ended.then((end) => ends.push(end));
    const { id: workerId } = worker;
    const id = await rig.submit();
    await expect.poll(() => begun).toEqual([`${id}.1`]);
    await rig.advance(13_000);
    expect(await rig.status(id)).toBe("ready");
    await clock.advance(3_000);
    await expect.poll(() => rig.status(id)).toBe("succeeded");
    expect(begun).toEqual([`${id}.1`, `${id}.2`]);
    expect(worker.id).toBe(workerId);
    expect(ends).toEqual([]);
    expect(await rig.service.listWorkers({})).toMatchObject({ workers: [{ status: "serving" }] });
  } finally {
    await kantoku.close();
    await gateway.close();
  }
});
