import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EngineRig } from "../support/engine-rig.ts";
import { GatewayRig } from "../support/gateway-rig.ts";
import type { RpcSocket } from "../support/rpc-socket.ts";

let rig: GatewayRig;
let peer: RpcSocket;

beforeAll(async () => {
  rig = await GatewayRig.start();
  peer = await rig.connect();
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

const submit = { definition: "greet" };
const register = { instance: "i", definitions: [], slots: 1 };
const step = { token: "t", step: "s", occurrence: 1 };

/** [method, params as text, what the message must name] */
const refused: readonly (readonly [string, string, string])[] = [
  ["task.submit", "{}", "definition"],
  ["task.submit", "[]", "expected object"],
  ["task.submit", '["greet"]', "expected object"],
  ["task.submit", '{"definition":""}', "definition"],
  ["task.submit", '{"definition":"a b"}', "definition"],
  ["task.submit", `{"definition":"${"x".repeat(201)}"}`, "definition"],
  ["task.submit", '{"definition":"日本"}', "definition"],
  ["task.submit", '{"definition":"greet","typo":1}', "typo"],
  ["task.submit", '{"definition":"greet","__proto__":{"x":1}}', "__proto__"],
  ["task.submit", '{"definition":"greet","labels":{"__proto__":"x"}}', "labels"],
  ["task.submit", '{"definition":"greet","metadata":{"__proto__":{}}}', "metadata"],
  ["task.submit", '{"definition":"greet","idempotencyKey":""}', "idempotencyKey"],
  ["task.submit", '{"definition":"greet","idempotencyKey":"a\\u0000"}', "idempotencyKey"],
  ["task.submit", '{"definition":"greet","idempotencyKey":"\\ud800"}', "idempotencyKey"],
  ["task.submit", `{"definition":"greet","idempotencyKey":"${"k".repeat(257)}"}`, "idempotencyKey"],
  ["task.submit", '{"definition":"greet","priority":"high"}', "priority"],
  ["task.submit", '{"definition":"greet","priority":1.5}', "priority"],
  ["task.submit", '{"definition":"greet","priority":1e400}', "priority"],
  ["task.submit", '{"definition":"greet","priority":2147483648}', "priority"],
  ["task.submit", '{"definition":"greet","startAt":"tomorrow"}', "startAt"],
  ["task.submit", '{"definition":"greet","startAt":-1}', "startAt"],
  ["task.submit", '{"definition":"greet","timeoutMs":0}', "timeoutMs"],
  ["task.submit", '{"definition":"greet","attemptTimeoutMs":null}', "attemptTimeoutMs"],
  ["task.submit", '{"definition":"greet","retry":{"maxAttempts":0}}', "retry.maxAttempts"],
  ["task.submit", '{"definition":"greet","retry":{"minMs":5,"maxMs":1}}', "retry.maxMs"],
  ["task.submit", '{"definition":"greet","retry":{"backoff":"cubic"}}', "retry.backoff"],
  ["task.submit", '{"definition":"greet","retry":{"max":1}}', "retry"],
  ["task.submit", '{"definition":"greet","labels":{"a":1}}', "labels.a"],
  ["task.submit", '{"definition":"greet","labels":["a"]}', "labels"],
  ["task.submit", '{"definition":"greet","metadata":"x"}', "metadata"],
  ["task.submit", '{"definition":"greet","version":7}', "version"],
  ["task.submit", '{"definition":"greet","version":"1 beta"}', "version"],
  ["task.submit", '{"definition":"greet","waitMs":1}', "waitMs"],
  ["task.submit", '{"definition":"greet","graph":{}}', "a definition or give a graph"],
  ["task.submit", '{"tasks":{},"result":"a"}', "tasks"],
  ["task.submit", '{"graph":[]}', "graph"],
  ["task.submit", '{"graph":"a"}', "graph"],
  ["task.submit", '{"graph":{},"version":"1"}', "version"],
  ["task.submit", '{"graph":{},"attemptTimeoutMs":1}', "attemptTimeoutMs"],
  ["task.submit", '{"graph":{},"typo":1}', "typo"],
  ["task.submit", '{"definition":"greet","parent":{"token":"t"}}', "parent.name"],
  [
    "task.submit",
    '{"definition":"greet","idempotencyKey":"k","parent":{"token":"t","name":"n"}}',
    "idempotencyKey",
  ],
  [
    "task.run",
    '{"graph":{},"idempotencyKey":"k","parent":{"token":"t","name":"n"}}',
    "idempotencyKey",
  ],
  ["task.run", '{"graph":{},"startAt":-1}', "startAt"],
  ["task.graph", "{}", "id or by key"],
  ["task.restart", "{}", "id or by key"],
  ["task.restart", '{"id":"a","mode":"again"}', "mode"],
  ["task.restart", '{"id":"a","mode":"newTree","from":5}', "from"],
  ["task.list", '{"restartRoot":5}', "restartRoot"],
  ["pipeline.register", '{"name":"a b","graph":{}}', "name"],
  ["pipeline.register", '{"name":"a"}', "graph"],
  ["pipeline.register", '{"name":"a","graph":{},"version":"1"}', "version"],
  ["pipeline.get", '{"version":"1"}', "name"],
  ["pipeline.get", '{"name":"a","version":"é"}', "version"],
  ["pipeline.list", '{"limit":0}', "limit"],
  ["attempt.suspend", "{}", "token"],
  ["attempt.resume", '{"token":"t","x":1}', "x"],
  ["task.run", '{"definition":"greet","waitMs":-1}', "waitMs"],
  ["task.run", '{"definition":"greet","waitMs":600001}', "waitMs"],
  ["task.get", "{}", "id or by key"],
  ["task.get", '{"id":"a","key":"b"}', "id or by key"],
  ["task.get", '{"id":5}', "id"],
  ["task.get", '{"id":"a\\u0000b"}', "id"],
  ["task.get", '{"id":"a b"}', "id"],
  ["task.list", '{"limit":0}', "limit"],
  ["worker.list", '{"limit":0}', "limit"],
  ["task.list", '{"limit":1001}', "limit"],
  ["task.list", '{"status":"done"}', "status"],
  ["task.list", '{"status":[]}', "status"],
  ["task.list", '{"orderBy":"name"}', "orderBy"],
  ["task.events", '{"id":"a","after":-1}', "after"],
  ["task.events", '{"id":"a","after":9007199254740992}', "after"],
  ["task.subscribe", '{"id":"a","after":"x"}', "after"],
  ["task.subscribe", '{"id":"a","after":1.5}', "after"],
  ["task.unsubscribe", "{}", "subscription"],
  ["task.cancel", '{"id":"a","reason":5}', "reason"],
  ["worker.register", "{}", "instance"],
  ["worker.register", JSON.stringify({ ...register, slots: 0 }), "slots"],
  ["worker.register", JSON.stringify({ ...register, slots: 10_001 }), "slots"],
  ["worker.register", JSON.stringify({ ...register, definitions: [{}] }), "definitions[0].name"],
  ["worker.register", JSON.stringify({ ...register, definitions: "x" }), "definitions"],
  [
    "worker.register",
    JSON.stringify({ ...register, definitions: [{ name: "a", version: "1 beta" }] }),
    "definitions[0].version",
  ],
  ["worker.register", JSON.stringify({ ...register, attempts: [1] }), "attempts[0]"],
  ["worker.heartbeat", '{"worker":"w"}', "attempts"],
  ["worker.drain", "{}", "worker"],
  ["attempt.complete", '{"output":1}', "token"],
  ["attempt.complete", '{"token":""}', "token"],
  ["attempt.complete", '{"token":"t","result":1}', "result"],
  ["attempt.fail", '{"token":"t"}', "error"],
  ["attempt.fail", '{"token":"t","error":"boom"}', "error"],
  ["attempt.fail", '{"token":"t","error":{"name":"E"}}', "error.message"],
  ["attempt.fail", '{"token":"t","error":{"name":"E","message":"m","cause":1}}', "error.cause"],
  [
    "attempt.fail",
    '{"token":"t","error":{"name":"E","message":"m","retriable":false}}',
    "retriable",
  ],
  [
    "attempt.fail",
    '{"token":"t","error":{"name":"E","message":"m","cause":{"name":"E","message":"m","why":1}}}',
    "why",
  ],
  [
    "step.record",
    JSON.stringify({ ...step, error: { name: "E", message: "m", retriable: false } }),
    "retriable",
  ],
  ["attempt.refuse", '{"token":"t"}', "reason"],
  ["step.record", JSON.stringify({ ...step, occurrence: 0 }), "occurrence"],
  ["step.record", JSON.stringify({ ...step, step: "a b" }), "step"],
  [
    "step.record",
    JSON.stringify({ ...step, output: 1, error: { name: "E", message: "m" } }),
    "output or an error",
  ],
  ["session.open", '{"batching":"yes"}', "batching"],
  ["session.ping", '{"x":1}', "x"],
];

describe("params that a method cannot take are refused with a message that names them", () => {
  test.each(refused)("%s %s", async (method, params, named) => {
    const id = crypto.randomUUID();
    peer.send(`{"jsonrpc":"2.0","id":"${id}","method":"${method}","params":${params}}`);
    const { error } = await peer.message((heard) => heard.id === id);
    expect(error?.code).toBe(-32602);
    expect(error?.message).toContain(named);
    expect(error?.message).not.toMatch(/: Invalid input$/);
    expect(error?.data["code"]).toBe("invalid-params");
    expect(error?.data["issues"]).toEqual(expect.any(Array));
  });
});

test.each([
  ["task.submit", '{"definition":"greet","input":{"n":[9007199254740993]}}', "input.n[0]"],
  ["task.submit", '{"definition":"greet","metadata":{"a":"\\u0000"}}', "metadata.a"],
  ["attempt.complete", '{"token":"t"}', "token"],
  ["task.list", '{"cursor":"x"}', "cursor"],
  ["worker.list", '{"cursor":"x"}', "cursor"],
])("and so is what only the service finds: %s %s", async (method, params, path) => {
  await using engine = await EngineRig.start();
  await using rig = await GatewayRig.start({ service: engine.node.serviceOf });
  const peer = await rig.connect();
  peer.send(`{"jsonrpc":"2.0","id":1,"method":"${method}","params":${params}}`);
  const { error } = await peer.message(({ id }) => id === 1);
  expect(error?.code).toBe(-32602);
  expect(error?.data["issues"]).toEqual([{ path, message: error?.message }]);
  expect(error?.message).toContain(path);
});

test.each([
  ["a member", (name: string) => ({ ...submit, [name]: 1 })],
  ["a label", (name: string) => ({ ...submit, labels: { [name]: 1 } })],
])("the name of %s is not quoted whole, however long", async (_what, params) => {
  const { error } = await peer.ask("task.submit", params("n".repeat(100_000)));
  expect(error?.code).toBe(-32602);
  expect(error?.message).toContain("n".repeat(100));
  expect(JSON.stringify(error).length).toBeLessThan(2_000);
});

test("everything that a submit may hold reaches the service as it came", async () => {
  const text =
    '{"definition":"a.b:c/d-e_f","version":"1.2","input":{"__proto__":{"x":1},"deep":[[1]]},' +
    '"idempotencyKey":"ключ","priority":-5,"startAt":1700000000000,"timeoutMs":1,' +
    '"attemptTimeoutMs":2,"retry":{"maxAttempts":3,"backoff":"fixed","minMs":0,"maxMs":9},' +
    '"labels":{"team":"","constructor":"x"},"metadata":{"a":null},"trace":"00-ab-cd-01"}';
  peer.send(`{"jsonrpc":"2.0","id":"all","method":"task.submit","params":${text}}`);
  const { result } = await peer.message(({ id }) => id === "all");
  const task = rig.fake.find({ id: String(result?.["id"]) });
  expect(JSON.parse(JSON.stringify(task.params))).toEqual(JSON.parse(text));
});

test("what a call was given changes no prototype", async () => {
  await peer.ask("task.submit", submit);
  expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
});
