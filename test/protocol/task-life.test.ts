import { expect, test } from "vitest";
import { GatewayRig } from "../support/gateway-rig.ts";

test("a client submits, a worker completes, the client has the output", async () => {
  await using rig = await GatewayRig.start();
  const worker = await rig.connect();
  const client = await rig.connect();
  const registered = await worker.call("worker.register", {
    instance: "one",
    definitions: [{ name: "greet" }],
    slots: 2,
  });
  expect(registered).toEqual({
    worker: "worker-1",
    leaseMs: 10_000,
    heartbeatMs: 3_000,
    keep: [],
    drop: [],
  });

  const outcome = client.call("task.run", { definition: "greet", input: { name: "Ada" } });
  const { token, input } = await worker.notification("attempt.assign");
  expect(input).toEqual({ name: "Ada" });
  expect(await worker.call("attempt.complete", { token, output: "Hello, Ada" })).toEqual({
    answer: "recorded",
  });
  expect(await outcome).toEqual({ id: "task-1", status: "succeeded", output: "Hello, Ada" });
  expect(await worker.call("attempt.complete", { token, output: "again" })).toEqual({
    answer: "late",
  });
});
