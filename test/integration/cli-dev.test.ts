import { once } from "node:events";
import { readdirSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";
import { connect } from "../../sdk/index.ts";
import { endPrograms, ktk, Program, startDev } from "./cli-program.ts";
import {
  cleanUp,
  deleteSeed,
  makeDataDir,
  makeFolder,
  makeSeededDataDir,
  processesOf,
  untilGone,
} from "./embedded-harness.ts";

afterEach(async () => {
  await endPrograms();
  await cleanUp();
});
afterAll(deleteSeed);

test("says where it listens, stops on SIGTERM, and a second start finds the data", {
  timeout: 60_000,
}, async () => {
  const folder = makeFolder();
  const dataDir = makeDataDir(folder);
  const first = new Program(["dev"], { folder, env: { KANTOKU_PORT: "0" } });
  await first.until(({ stdout }) => stdout.includes("\n"));
  const [, url = ""] =
    /^kantoku listening on (ws:\/\/127\.0\.0\.1:\d+\/rpc)\n$/.exec(first.stdout) ?? [];
  const submitted = await ktk(["run", "later", "--no-wait", "--key", "kept", "--url", url]);
  expect(submitted).toMatchObject({ code: 0, stderr: "" });
  first.kill("SIGTERM");
  const end = await first.ended;
  expect(end).toMatchObject({ code: 0, signal: null });
  expect(end.stdout.split("\n")).toHaveLength(2);
  expect(logOf(end.stderr).at(-1)).toMatchObject({ level: "info", message: "server stopped" });

  const { dev: second, listening } = await startDev([], { folder });
  expect(listening).toMatchObject({
    event: "listening",
    url: `ws://127.0.0.1:${listening.port}/rpc`,
    host: "127.0.0.1",
    database: "embedded",
    dataDir,
  });
  const found = await ktk(["get", "task", "--key", "kept", "-o", "json", "--url", listening.url]);
  expect(JSON.parse(found.stdout)).toMatchObject({ definition: "later", key: "kept" });
  second.kill("SIGINT");
  expect(await second.ended).toMatchObject({ code: 0, signal: null });
});

test("outlives a rejection that nobody handled, and logs it", async () => {
  const dataDir = await makeDataDirWithConfig(
    `setTimeout(() => Promise.reject(new Error("stray")), 1); export const config = { port: 0 };`,
  );
  const folder = join(dataDir, "..");
  // Node warns of a config that has to be looked at twice to see what kind of module it is.
  writeFileSync(join(folder, "package.json"), "{}");
  const dev = new Program(["dev"], { folder });
  await dev.until(({ stdout, stderr }) => stdout.includes("\n") && stderr.includes("stray"));
  const url = dev.stdout.trim().replace("kantoku listening on ws", "http");
  const ready = await fetch(new URL("/readyz", url));
  expect(ready.status).toBe(200);
  expect(logOf(dev.stderr)).toContainEqual(
    expect.objectContaining({ level: "error", message: "a rejection was not handled" }),
  );
  dev.kill("SIGTERM");
  expect(await dev.ended).toMatchObject({ code: 0 });
});

test("ends at once when an exception was not caught", async () => {
  const dataDir = await makeDataDirWithConfig(
    `process.on("SIGUSR2", () => { throw new Error("half done"); }); export default { port: 0 };`,
  );
  const dev = new Program(["dev"], { folder: join(dataDir, "..") });
  await dev.until(({ stdout }) => stdout.includes("\n"));
  dev.kill("SIGUSR2");
  const end = await dev.ended;
  expect(end).toMatchObject({ code: 1 });
  expect(logOf(end.stderr).at(-1)).toMatchObject({ error: { message: "half done" } });
  await endOrphan(dataDir);
});

test("finishes what runs on the first signal, and goes at once on the second", async () => {
  const dataDir = await makeSeededDataDir();
  const { dev, listening } = await startDev(["--data-dir", dataDir]);
  const client = await connect(listening.url);
  try {
    dev.kill("SIGSTOP");
    // Both are there before it looks, as from an impatient hand.
    dev.kill("SIGTERM");
    dev.kill("SIGINT");
    dev.kill("SIGCONT");
    expect((await dev.ended).code).toBeOneOf([130, 143]);
  } finally {
    await client.close();
  }
  await endOrphan(dataDir);
});

test("says in one line that a port is taken, before it sets up a database", async () => {
  const holder = createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  const { port } = holder.address() as AddressInfo;
  try {
    const folder = makeFolder();
    const end = await ktk(["dev", "--port", `${port}`], { folder });
    expect(end).toMatchObject({ code: 1, stdout: "" });
    expect(end.stderr).toMatch(new RegExp(`^error: port ${port} is in use; .*\n$`));
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    holder.close();
  }
});

test("names the database that it cannot use, without the password", async () => {
  const url = "postgres://ada:secret@127.0.0.1:1/engine";
  for (const words of [["dev", "--port", "0"], ["doctor"]]) {
    const end = await ktk([...words, "--database-url", url]);
    expect(end).toMatchObject({ code: 1, stdout: "" });
    expect(end.stderr).toMatch(/^error: cannot use the database at 127.0.0.1:1\/engine: .*\n$/);
  }
});

async function makeDataDirWithConfig(config: string): Promise<string> {
  const dataDir = await makeSeededDataDir();
  writeFileSync(join(dataDir, "../kantoku.config.ts"), config);
  return dataDir;
}

/** A database whose only user was cut off waits for it to come back; no test does. */
async function endOrphan(dataDir: string): Promise<void> {
  const { keeper, postmaster } = processesOf(dataDir);
  process.kill(keeper, "SIGKILL");
  process.kill(postmaster, "SIGINT");
  await untilGone(keeper, postmaster);
}

function logOf(stderr: string): readonly unknown[] {
  return stderr
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
}
