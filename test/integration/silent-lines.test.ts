import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLog } from "../../runtime/ports/log.ts";
import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import type { Store } from "../../runtime/store/store.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { faultOf } from "../support/fault.ts";
import { enlistNode } from "../support/test-node.ts";
import { submit } from "../support/turns.ts";

const nodeLeaseMs = 2_000;

let database: TestDatabase;
let store: Store;
let relay: Server;
let pipes: { isSilent: boolean; readonly client: Socket; readonly upstream: Socket }[];

beforeEach(async () => {
  database = await openTestDatabase();
  pipes = [];
  const target = new URL(database.url);
  const [port, host] = [Number(target.port), target.hostname];
  relay = createServer((client) => {
    const upstream = connect(port, host);
    const pipe = { isSilent: false, client, upstream };
    pipes.push(pipe);
    client.on("data", (chunk) => pipe.isSilent || upstream.write(chunk));
    upstream.on("data", (chunk) => pipe.isSilent || client.write(chunk));
    for (const socket of [client, upstream]) socket.on("error", () => {});
    upstream.on("close", () => pipe.isSilent || client.destroy());
    client.on("close", () => pipe.isSilent || upstream.destroy());
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  const { port: relayPort } = relay.address() as { port: number };
  const url = `${target.protocol}//${target.username}:${target.password}@127.0.0.1:${relayPort}${target.pathname}`;
  store = await openPostgresStore({ url, lanes: 1, nodeLeaseMs, log: silentLog });
});

afterEach(async () => {
  for (const { client, upstream } of pipes) {
    client.destroy();
    upstream.destroy();
  }
  relay.close();
  await store.close();
  await database.close();
});

test("connections that fell silent are given up, and the next ones do the work", async () => {
  const node = await enlistNode(store);
  await node.commit(submit());
  // A firewall that forgot its table: nothing comes back any more, and nobody says so.
  for (const pipe of pipes) pipe.isSilent = true;
  const answers = await Promise.all([
    faultOf(node.commit(submit())),
    store.nodes.renew(node.id, 10_000).then((renewed) => renewed !== null),
  ]);
  expect(answers).toEqual(["unknown", true]);
});
