import { expect, test } from "vitest";
import { errorCodes } from "../../sdk/protocol/error-code.ts";
import { GatewayRig } from "../support/gateway-rig.ts";

interface Described {
  readonly name: string;
  readonly summary: string;
  readonly params: readonly { readonly name: string; readonly required: boolean }[];
  readonly result: { readonly schema: object };
  readonly errors: readonly { readonly code: number; readonly message: string }[];
}

const served = [
  "attempt.complete",
  "attempt.fail",
  "attempt.progress",
  "attempt.refuse",
  "attempt.resume",
  "attempt.suspend",
  "pipeline.get",
  "pipeline.list",
  "pipeline.register",
  "rpc.discover",
  "session.open",
  "session.ping",
  "step.record",
  "system.doctor",
  "task.cancel",
  "task.events",
  "task.get",
  "task.graph",
  "task.list",
  "task.restart",
  "task.result",
  "task.run",
  "task.submit",
  "task.subscribe",
  "task.unsubscribe",
  "worker.drain",
  "worker.heartbeat",
  "worker.list",
  "worker.register",
];

test("rpc.discover describes every method that is served, and only those", async () => {
  await using rig = await GatewayRig.start();
  const peer = await rig.connect();
  const document = await peer.call("rpc.discover");
  expect(document["openrpc"]).toMatch(/^1\./);
  const methods = document["methods"] as readonly Described[];
  expect(methods.map(({ name }) => name).sort()).toEqual(served);
  for (const { name } of methods) {
    expect((await peer.ask(name, { id: "x", unheardOf: 1 })).error?.code).toBe(-32602);
  }
});

test("what it says of a method holds: params, result, errors", async () => {
  await using rig = await GatewayRig.start();
  const peer = await rig.connect();
  const { methods, components } = (await peer.call("rpc.discover")) as unknown as {
    methods: readonly Described[];
    components: { schemas: Record<string, object> };
  };
  const submit = methods.find(({ name }) => name === "task.submit");
  expect(submit?.params.filter(({ required }) => required)).toEqual([]);
  const complete = methods.find(({ name }) => name === "attempt.complete");
  expect(complete?.params.filter(({ required }) => required).map(({ name }) => name)).toEqual([
    "token",
  ]);
  const numbers = new Map(Object.entries(errorCodes).map(([code, { number }]) => [code, number]));
  for (const { summary, errors } of methods) {
    expect(summary).toMatch(/\.$/);
    for (const { code, message } of errors) expect(code).toBe(numbers.get(message));
  }
  const text = JSON.stringify({ methods, components });
  for (const [, reference] of text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)) {
    expect(components.schemas).toHaveProperty(reference ?? "");
  }
  expect(text).not.toContain("#/definitions/");
});
