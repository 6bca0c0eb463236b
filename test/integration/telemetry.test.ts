import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, expect, test } from "vitest";
import { endPrograms, ktk, startDev } from "./cli-program.ts";
import { cleanUp, deleteSeed, makeSeededDataDir } from "./embedded-harness.ts";

afterEach(async () => {
  await endPrograms();
  await cleanUp();
});
afterAll(deleteSeed);

test("a server sends traces and metrics to the collector, the last of them when it stops", {
  timeout: 20_000,
}, async () => {
  await using collector = await startCollector();
  const dataDir = await makeSeededDataDir();
  const env = { KANTOKU_OTLP_ENDPOINT: collector.url };
  const { dev, listening } = await startDev(["--data-dir", dataDir], { env });
  const submitted = await ktk(["run", "later", "--no-wait", "--url", listening.url]);
  expect(submitted.code).toBe(0);
  dev.kill("SIGTERM");
  const end = await dev.ended;
  expect(end.code).toBe(0);
  expect(end.stderr).toContain("telemetry is on");
  expect(end.stderr).not.toContain("telemetry is in trouble");
  expect(collector.received("/v1/traces")).toContain("task.submit later");
  expect(collector.received("/v1/traces")).toContain("service.name");
  expect(collector.received("/v1/metrics")).toContain("kantoku.tasks.submitted");
});

test("a collector that is gone is reported, and holds nothing up for long", {
  timeout: 20_000,
}, async () => {
  const gone = await startCollector();
  await gone[Symbol.asyncDispose]();
  const dataDir = await makeSeededDataDir();
  const env = { KANTOKU_OTLP_ENDPOINT: gone.url };
  const { dev, listening } = await startDev(["--data-dir", dataDir], { env });
  expect((await ktk(["run", "later", "--no-wait", "--url", listening.url])).code).toBe(0);
  dev.kill("SIGTERM");
  const end = await dev.ended;
  expect(end.code).toBe(0);
  expect(end.stderr).toMatch(/telemetry is in trouble|telemetry was not sent to its end/);
});

test("an endpoint that is no URL is said to be none, before anything is started", async () => {
  const end = await ktk(["dev", "--port", "0"], { env: { KANTOKU_OTLP_ENDPOINT: "nowhere" } });
  expect(end).toMatchObject({ code: 1, stdout: "" });
  expect(end.stderr).toMatch(/^error: KANTOKU_OTLP_ENDPOINT must be a URL like .*\n$/);
});

/** Takes what it is sent, and keeps it. */
async function startCollector() {
  const bodies = new Map<string, string>();
  const server = createServer(async (request, response) => {
    const chunks = await request.toArray();
    const path = request.url ?? "";
    bodies.set(path, `${bodies.get(path) ?? ""}${Buffer.concat(chunks).toString("latin1")}`);
    response.writeHead(200).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    /** Every body that was sent to a path, one after the other. */
    received: (path: string) => bodies.get(path) ?? "",
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
