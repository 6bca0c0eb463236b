import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { afterAll, afterEach, expect, onTestFinished, test } from "vitest";
import { endPrograms, ktk, startDev } from "./cli-program.ts";
import { cleanUp, deleteSeed, makeSeededDataDir } from "./embedded-harness.ts";

const examples = resolve(import.meta.dirname, "../../examples");

afterEach(async () => {
  await endPrograms();
  await cleanUp();
});
afterAll(deleteSeed);

test("the greeter and the shell serve whoever asks the server, until they are interrupted", async () => {
  const { dev, listening } = await startDev(["--data-dir", await makeSeededDataDir()]);
  const env = { ...process.env, KANTOKU_URL: listening.url };
  const serve = async (example: string) => {
    const worker = spawn(process.execPath, [resolve(examples, example)], { env });
    onTestFinished(() => void worker.kill("SIGKILL"));
    await once(worker.stdout, "data");
    return worker;
  };
  const workers = [await serve("greeter.ts"), await serve("shell.ts")];
  const url = ["--url", listening.url];
  const greeting = await ktk(["run", "greet", "-i", '{"name":"Ada"}', ...url]);
  expect(greeting.stdout).toContain("Good morning, Ada!");
  const released = await ktk(["run", "-f", resolve(examples, "06-stages.yaml"), ...url]);
  expect(released.stdout).toContain("make upload is done");
  for (const worker of workers) {
    worker.kill("SIGINT");
    expect(await once(worker, "close")).toEqual([0, null]);
  }
  dev.kill("SIGTERM");
  expect((await dev.ended).code).toBe(0);
});
