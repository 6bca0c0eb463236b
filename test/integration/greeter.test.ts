import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { afterAll, afterEach, expect, onTestFinished, test } from "vitest";
import { endPrograms, ktk, startDev } from "./cli-program.ts";
import { cleanUp, deleteSeed, makeSeededDataDir } from "./embedded-harness.ts";

const greeter = resolve(import.meta.dirname, "../../examples/greeter.ts");

afterEach(async () => {
  await endPrograms();
  await cleanUp();
});
afterAll(deleteSeed);

test("the greeter serves whoever asks the server, until it is interrupted", async () => {
  const { dev, listening } = await startDev(["--data-dir", await makeSeededDataDir()]);
  const env = { ...process.env, KANTOKU_URL: listening.url };
  const worker = spawn(process.execPath, [greeter], { env });
  onTestFinished(() => void worker.kill("SIGKILL"));
  await once(worker.stdout, "data");
  const { stdout } = await ktk(["run", "greet", "-i", '{"name":"Ada"}', "--url", listening.url]);
  expect(stdout).toContain("Good morning, Ada!");
  worker.kill("SIGINT");
  expect(await once(worker, "close")).toEqual([0, null]);
  dev.kill("SIGTERM");
  expect((await dev.ended).code).toBe(0);
});
