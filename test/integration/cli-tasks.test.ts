import { writeFileSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, type Kantoku, type TaskView, task, type WorkerView } from "../../sdk/index.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { type Ended, endPrograms, ktk, makeEmptyFolder, Program, startDev } from "./cli-program.ts";

let database: TestDatabase;
let dev: Program;
let url: string;
let client: Kantoku;

const greet = task("greet", {}, async ({ name }: { name: string }, ctx) => {
  return await ctx.step("word", () => `Hello, ${name}`);
});
const boom = task("boom", { retry: { maxAttempts: 1 } }, () => {
  throw new TypeError("no \u001b[31mluck");
});
const patient = task("patient", {}, (_input: unknown, { abortSignal }) => {
  return new Promise((_resolve, reject) => {
    abortSignal.addEventListener("abort", () => reject(abortSignal.reason));
  });
});

beforeAll(async () => {
  database = await openTestDatabase();
  const started = await startDev(["--database-url", database.url]);
  dev = started.dev;
  expect(started.listening).toMatchObject({ database: "given" });
  url = started.listening.url;
  client = await connect(url);
  await client.work([greet, boom, patient], { name: "helper", labels: { zone: "a" } });
});

afterAll(async () => {
  await client?.close();
  dev?.kill("SIGTERM");
  await dev?.ended;
  await endPrograms();
  await database?.close();
});

describe.concurrent("a terminal", { timeout: 60_000 }, () => {
  test("run prints the output, of an input inline, from a file and from a pipe", async () => {
    const folder = makeEmptyFolder();
    writeFileSync(join(folder, "input.json"), `{"name":"Bo"}`);
    const ends = await Promise.all([
      ask(["run", "greet", "-i", `{"name":"Ada"}`]),
      ask(["run", "greet", "-i", "@input.json"], { folder }),
      ask(["run", "greet", "-i", "-"], { input: `{"name":"Cy"}` }),
    ]);
    const outputs = ends.map(({ code, stdout, stderr }) => ({
      code,
      stderr,
      output: JSON.parse(stdout),
    }));
    expect(outputs).toEqual(
      ["Hello, Ada", "Hello, Bo", "Hello, Cy"].map((output) => ({ code: 0, stderr: "", output })),
    );
  });

  test("run --watch shows the events on standard error, and only the output on standard output", async () => {
    const text = await ask(["run", "greet", "-i", `{"name":"Ada"}`, "--watch"]);
    expect(text).toMatchObject({ code: 0, stdout: `"Hello, Ada"\n` });
    expect(text.stderr.match(/(task|attempt|step)\.\w+/g)).toEqual([
      "task.submitted",
      "attempt.assigned",
      "step.recorded",
      "attempt.succeeded",
    ]);

    const json = await ask(["run", "greet", "-i", `{"name":"Ada"}`, "--watch", "-o", "json"]);
    expect(JSON.parse(json.stdout)).toMatchObject({ status: "succeeded", output: "Hello, Ada" });
    const events = json.stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { seq: number });
    expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  });

  test("run hands on key, labels, priority and version", async () => {
    const words = ["run", "nobody", "--version", "2", "--key", "once", "--priority", "3"];
    const labels = ["-l", "team=blue,zone=b", "-l", String.raw`step=1=2,note=a\,b`];
    const first = await ask([...words, ...labels, "--no-wait", "-o", "json"]);
    const { id, created } = JSON.parse(first.stdout) as { id: string; created: boolean };
    expect(created).toBe(true);
    expect((await ask([...words, ...labels, "--no-wait"])).stdout).toContain(
      `${id} was submitted before`,
    );
    const { stdout } = await ask(["get", "task", id, "-o", "json"]);
    expect(JSON.parse(stdout)).toMatchObject({
      definition: "nobody",
      version: "2",
      key: "once",
      priority: 3,
      labels: { team: "blue", zone: "b", step: "1=2", note: "a,b" },
    });
    const other = await ask(["run", "nobody", "--key", "once", "-i", "1", "--no-wait"]);
    expect(other).toMatchObject({ code: 1, stdout: "" });
    expect(other.stderr).toContain(id);
  });

  test("run exits with 1 when the task fails, and says why without a control character", async () => {
    const text = await ask(["run", "boom"]);
    expect(text).toMatchObject({ code: 1, stdout: "" });
    expect(text.stderr).toMatch(/^error: task [\w-]+ failed: .*no \\u\{1b\}\[31mluck\n$/);

    const json = await ask(["run", "boom", "-o", "json"]);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({
      status: "failed",
      error: { name: "TypeError", message: "no \u001b[31mluck" },
    });
  });

  test("run exits with 1 when the task times out, and when the wait ends first", async () => {
    const [timedOut, waited] = await Promise.all([
      ask(["run", "patient", "--timeout", "100ms"]),
      ask(["run", "nobody", "--wait", "100ms"]),
    ]);
    expect(timedOut).toMatchObject({ code: 1, stdout: "" });
    expect(timedOut.stderr).toMatch(/^error: task /);
    expect(waited).toMatchObject({ code: 1, stdout: "" });
    expect(waited.stderr).toMatch(
      /has not ended after 100 ms; it is ready: no worker serves nobody\n$/,
    );
  });

  test("what fails is told in JSON, once, where that was asked for", async () => {
    const unknown = "01989f5e-8a4c-7cc2-b5d1-6e3a7f0c9b21";
    const [missing, waited, failed] = await Promise.all([
      ask(["get", "task", unknown, "-o", "json"]),
      ask(["run", "nobody", "--wait", "100ms", "-o", "json"]),
      ask(["run", "boom", "-o", "json"]),
    ]);
    expect(missing).toMatchObject({ code: 1, stderr: `error: there is no task ${unknown}\n` });
    expect(JSON.parse(missing.stdout)).toMatchObject({
      error: { code: "not-found", message: `there is no task ${unknown}` },
    });
    expect(waited).toMatchObject({ code: 1, stderr: expect.stringMatching(/^error: task /) });
    const { error } = JSON.parse(waited.stdout);
    const data = { status: "ready", waitingFor: { reason: "no-worker" } };
    expect(error).toMatchObject({ code: "deadline-exceeded", data });
    expect(await client.get(error.data.task)).toMatchObject({ definition: "nobody" });
    expect(JSON.parse(failed.stdout)).toMatchObject({ status: "failed", id: expect.any(String) });
  });

  test("run says why a task waits, and leaves it when it is interrupted", async () => {
    const program = new Program(["run", "unserved"], { env: { KANTOKU_URL: url } });
    await program.until(({ stderr }) => stderr.includes("no worker serves unserved"));
    program.kill("SIGINT");
    const end = await program.ended;
    expect(end).toMatchObject({ code: 130, stdout: "" });
    const id = /task (\S+) goes on/.exec(end.stderr)?.[1] ?? "";
    expect(await client.get(id)).toMatchObject({ status: "ready" });
  });

  test("describe tells why a task waits, and its story", async () => {
    const { id } = await client.submit({ definition: "idle", input: { deep: [1] } });
    const text = await ask(["describe", "task", id]);
    expect(text).toMatchObject({ code: 0, stderr: "" });
    expect(text.stdout).toMatch(/^Status: +ready$/m);
    expect(text.stdout).toMatch(/^Waiting: +no worker serves idle$/m);
    expect(text.stdout).toMatch(
      /^SEQ +AT +TYPE +DETAILS\n1 +\S+Z +task\.submitted +definition=idle/m,
    );

    const json = await ask(["describe", "task", id, "-o", "json"]);
    const { task: view, events } = JSON.parse(json.stdout) as { task: TaskView; events: unknown[] };
    expect(view).toMatchObject({ id, waitingFor: { reason: "no-worker" } });
    expect(events).toHaveLength(1);
  });

  test("get tasks lists what it is asked for, in aligned columns", async () => {
    const labels = { list: "mine", team: "blue" };
    for (const name of ["Ada", "Bo", "Cy"]) {
      await client.run(greet({ name }), { labels });
    }
    const filter = [
      "get",
      "tasks",
      "-l",
      "list=mine,team=blue",
      "-s",
      "succeeded,failed",
      "-d",
      "greet",
    ];
    const text = await ask(filter);
    expect(text).toMatchObject({ code: 0, stderr: "" });
    const lines = text.stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(4);
    const at = lines[0]?.indexOf("STATUS");
    expect(lines.slice(1).map((line) => line.indexOf("succeeded"))).toEqual([at, at, at]);
    expect(text.stdout).not.toContain("\u001b");

    const wide = await ask([...filter, "-o", "wide", "--limit", "2"]);
    expect(wide.stdout).toMatch(/^ID .*WORKER .*LABELS.*\n.*list=mine.*\n.*list=mine.*\n$/);
    expect(wide.stderr).toMatch(/more than 2/);
    const json = JSON.parse((await ask([...filter, "-o", "json"])).stdout) as { tasks: TaskView[] };
    expect(json.tasks.map(({ output }) => output)).toEqual([
      "Hello, Cy",
      "Hello, Bo",
      "Hello, Ada",
    ]);
  });

  test("get says so when there is nothing", async () => {
    const none = await ask(["get", "tasks", "-d", "unheard-of"]);
    expect(none).toMatchObject({ code: 0, stdout: "", stderr: "No tasks found.\n" });
    const json = await ask(["get", "tasks", "-d", "unheard-of", "-o", "json"]);
    expect(JSON.parse(json.stdout)).toEqual({ tasks: [] });
    const elsewhere = await ask(["get", "workers", "-n", "elsewhere"]);
    const found = { code: 0, stdout: "", stderr: "No workers found in namespace elsewhere.\n" };
    expect(elsewhere).toMatchObject(found);
    for (const noun of ["tasks", "pipelines"]) {
      const { stderr } = await ask(["get", noun, "-n", "elsewhere"]);
      expect(stderr).toBe(`No ${noun} found in namespace elsewhere.\n`);
    }
    const missing = await ask(["get", "task", "01989f5e-8a4c-7cc2-b5d1-6e3a7f0c9b21"]);
    expect(missing).toMatchObject({ code: 1, stdout: "" });
    expect(missing.stderr).toMatch(/^error: there is no task 01989f5e/);
  });

  test("get workers shows who serves what", async () => {
    const text = await ask(["get", "workers"]);
    expect(text.stdout).toMatch(
      /^ID +NAME +STATUS +RUNNING +DEFINITIONS +AGE\n\S+ +helper +serving +\d\/10 +greet,boom,patient/,
    );
    const wide = await ask(["get", "workers", "-o", "wide"]);
    expect(wide.stdout).toContain("zone=a");
    const json = await ask(["get", "workers", "-o", "json"]);
    expect(JSON.parse(json.stdout)).toMatchObject({
      workers: [{ name: "helper", status: "serving" }],
    });
  });

  test("get workers leaves out those that have gone, unless all are asked for", async () => {
    const tenant = await connect(url, { namespace: "leavers" });
    const leaver = await tenant.work([greet], { name: "leaver" });
    await leaver.close();
    const words = ["get", "workers", "-n", "leavers"];
    const named = async (...more: string[]) => {
      const { stdout } = await ask([...words, "-o", "json", ...more]);
      const { workers } = JSON.parse(stdout) as { workers: WorkerView[] };
      return workers.map(({ name, status }) => `${name} ${status}`).toSorted();
    };
    expect(await named()).toEqual([]);
    expect(await ask(words)).toMatchObject({
      stdout: "",
      stderr: "No workers found in namespace leavers; --all shows those that have gone, too.\n",
    });
    await tenant.work([greet], { name: "stayer" });
    expect(await named()).toEqual(["stayer serving"]);
    expect(await named("--all")).toEqual(["leaver gone", "stayer serving"]);
    expect((await ask(words)).stdout).not.toContain("leaver");
    expect((await ask([...words, "--all"])).stdout).toMatch(/leaver +gone/);
    await tenant.close();
  });

  test("cancel ends a task once, and says what it could not cancel", async () => {
    const { id } = await client.submit({ definition: "idle" }, { idempotencyKey: "unwanted" });
    const words = ["cancel", "--key", "unwanted", "--reason", "not needed"];
    expect(await ask(words)).toMatchObject({
      code: 0,
      stdout: `task ${id} cancelled\n`,
      stderr: "",
    });
    expect(await ask(words)).toMatchObject({
      code: 0,
      stdout: `task ${id} was cancelled before\n`,
    });
    const json = await ask([...words, "-o", "json"]);
    expect(JSON.parse(json.stdout)).toEqual({ id, status: "cancelled", accepted: false });

    const done = await client.submit(greet({ name: "Ada" }));
    await done.result();
    const late = await ask(["cancel", done.id]);
    expect(late).toMatchObject({ code: 1, stdout: "" });
    expect(late.stderr).toBe(`error: task ${done.id} had succeeded before\n`);
  });

  test("restart does again what failed, in place or as a new tree", async () => {
    const failed = await client.submit(boom(null));
    await failed.result().catch(() => {});
    const { id } = failed;
    expect(await ask(["restart", id])).toMatchObject({ code: 0, stdout: `task ${id} goes on\n` });
    await failed.result().catch(() => {});
    expect(await client.get(id)).toMatchObject({ status: "failed", attempt: 2 });

    const renewed = await ask(["restart", id, "--new-tree", "-o", "json"]);
    const told = JSON.parse(renewed.stdout);
    expect(told).toEqual({ id: expect.any(String), of: id, restarted: 1 });
    expect(await client.get(told.id)).toMatchObject({ restartOf: id, restartRoot: id });

    const late = await ask(["restart", id, "--new-tree"]);
    expect(late).toMatchObject({ code: 1, stdout: "" });
    expect(late.stderr).toContain(`root ${id} was restarted as ${told.id}`);
  });

  test("doctor finds nothing in a healthy database, and what is broken in another", async () => {
    const healthy = await ask(["doctor"]);
    expect(healthy).toEqual({ code: 0, signal: null, stdout: "all invariants hold\n", stderr: "" });

    const other = await openTestDatabase();
    const { dev: server, listening } = await startDev(["--database-url", other.url]);
    const { id } = JSON.parse(
      (await ktk(["run", "idle", "--no-wait", "-o", "json", "--url", listening.url])).stdout,
    ) as { id: string };
    const sql = postgres(other.url, { max: 1, onnotice: () => {} });
    await sql`update kantoku.tasks set seq = seq + 1`;
    await sql.end();

    const overGateway = await ktk(["doctor", "-o", "json", "--url", listening.url]);
    server.kill("SIGTERM");
    await server.ended;
    const direct = await ktk(["doctor", "--database-url", other.url]);
    await other.close();
    expect(overGateway.code).toBe(1);
    expect(JSON.parse(overGateway.stdout)).toEqual({
      findings: [{ invariant: "journal-matches-seq", count: 1, examples: [id] }],
    });
    expect(direct).toMatchObject({ code: 1, stderr: "" });
    expect(direct.stdout).toMatch(new RegExp(`^INVARIANT.*\\njournal-matches-seq +1 +${id}\\n$`));
  });
});

function ask(
  words: readonly string[],
  options: { readonly folder?: string; readonly input?: string } = {},
): Promise<Ended> {
  return ktk(words, { ...options, env: { KANTOKU_URL: url } });
}
