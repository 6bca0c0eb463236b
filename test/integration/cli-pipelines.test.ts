import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { connect, type GraphView, type Kantoku, type TaskView, task } from "../../sdk/index.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import {
  type Ended,
  endPrograms,
  ktk,
  makeEmptyFolder,
  type Program,
  startDev,
} from "./cli-program.ts";

let database: TestDatabase;
let dev: Program;
let url: string;
let client: Kantoku;

/** Names of jobs in the order of their starts, by pipeline. */
const started = new Map<string, string[]>();

interface Orders {
  readonly of: string;
  readonly job: string;
  /** So many attempts fail before one does not. */
  readonly failures?: number;
  /** So many attempts never end by themselves. */
  readonly hangs?: number;
}

const shell = task("Shell", {}, async (orders: Orders, { attempt, abortSignal }) => {
  const { of, job, failures = 0, hangs = 0 } = orders;
  started.set(of, [...(started.get(of) ?? []), job]);
  if (attempt <= failures) throw new Error(`${job} broke`);
  if (attempt > hangs) return `${job} done`;
  return await new Promise<string>((_resolve, reject) => {
    abortSignal.addEventListener("abort", () => reject(abortSignal.reason));
  });
});
const double = task("double", {}, async ({ n }: { n: number }) => n * 2);

beforeAll(async () => {
  database = await openTestDatabase();
  const begun = await startDev(["--database-url", database.url]);
  dev = begun.dev;
  url = begun.listening.url;
  client = await connect(url);
  await client.work([shell, double], { slots: 20 });
});

afterAll(async () => {
  await client?.close();
  dev?.kill("SIGTERM");
  await dev?.ended;
  await endPrograms();
  await database?.close();
});

const quadruple = `
# yaml-language-server: $schema=https://example.com/pipeline.schema.json
name: quadruple
inputSchema: { type: object }
graph:
  result: again
  tasks:
    once: { definition: double, refs: [{ at: "", input: true }] }
    again: { definition: double, refs: [{ at: /n, task: once }] }
`;

/** A page of text that stands for 10^9 items. */
const bomb = Array.from({ length: 9 }, (_, level) => {
  const items = Array.from({ length: 10 }, () => (level === 0 ? "x" : `*a${level - 1}`));
  return `a${level}: &a${level} [${items.join(", ")}]`;
}).join("\n");

describe.concurrent("pipelines in files", { timeout: 60_000 }, () => {
  test("are registered, listed, described and run by name", async () => {
    const folder = folderWith({ "pipeline.yaml": quadruple });
    const applied = await ask(["apply", "-f", "pipeline.yaml"], folder);
    expect(applied).toMatchObject({ code: 0, stderr: "" });
    const [, version = ""] =
      /^pipeline quadruple registered, version ([0-9a-f]{16})\n$/.exec(applied.stdout) ?? [];
    expect(await ask(["apply", "-f", "pipeline.yaml"], folder)).toEqual(applied);

    const listed = await ask(["get", "pipelines"], folder);
    expect(listed.stdout).toMatch(new RegExp(`^quadruple +${version} +2 +\\d+s$`, "m"));
    const { pipelines } = JSON.parse(
      (await ask(["get", "pipelines", "-o", "json"], folder)).stdout,
    );
    expect(pipelines).toContainEqual(expect.objectContaining({ name: "quadruple", version }));

    const described = await ask(["describe", "pipeline", "quadruple"], folder);
    expect(described.stdout).toContain(`Version:      ${version}\n`);
    expect(described.stdout).toMatch(/^├─ once \(double\)$/m);
    expect(described.stdout).toMatch(/^└─ again \(double\) +after once$/m);

    const run = await ask(["run", "quadruple", "-i", `{"n": 3}`, "--version", version], folder);
    expect(run).toMatchObject({ code: 0, stdout: "12\n", stderr: "" });
    expect(await ask(["describe", "pipeline", "nothing"], folder)).toMatchObject({ code: 1 });
  });

  test("run without being registered, from YAML, JSON and a pipe, and under a key once", async () => {
    const graph = {
      tasks: { it: { definition: "double", refs: [{ at: "", input: true }] } },
      result: "it",
    };
    const folder = folderWith({ "graph.json": JSON.stringify(graph), "named.yml": quadruple });
    const words = ["-i", `{"n": 5}`];
    expect(await ask(["run", "-f", "named.yml", ...words], folder)).toMatchObject({
      stdout: "20\n",
    });
    expect(await ask(["run", "-f", "graph.json", ...words], folder)).toMatchObject({
      stdout: "10\n",
    });
    const piped = await ask(["run", "-f", "-", ...words], folder, JSON.stringify({ graph }));
    expect(piped).toMatchObject({ code: 0, stdout: "10\n" });

    const once = [
      "run",
      "-f",
      "graph.json",
      "--key",
      "once",
      "-l",
      "team=blue",
      "--no-wait",
      "-o",
      "json",
    ];
    const first = JSON.parse((await ask([...once, ...words], folder)).stdout);
    expect(first).toMatchObject({ created: true });
    expect(JSON.parse((await ask([...once, ...words], folder)).stdout)).toMatchObject({
      id: first.id,
      created: false,
    });
    expect((await client.get(first.id)).labels).toEqual({ team: "blue" });
  });

  test("are drawn as a tree and as Mermaid text while and after they run", async () => {
    const folder = folderWith({ "pipeline.yaml": quadruple });
    await ask(["run", "-f", "pipeline.yaml", "-i", `{"n": 1}`, "--key", "drawn"], folder);
    const tree = await ask(["graph", "--key", "drawn"], folder);
    expect(tree).toMatchObject({ code: 0, stderr: "" });
    expect(tree.stdout.split("\n").map((line) => line.replaceAll(/ +/g, " "))).toEqual([
      "pipeline succeeded",
      "├─ once (double) succeeded",
      "└─ again (double) succeeded after once",
      "",
    ]);
    const mermaid = await ask(["graph", "--key", "drawn", "-o", "mermaid"], folder);
    expect(mermaid.stdout).toMatch(/^flowchart LR\n/);
    expect(mermaid.stdout).toContain(`"again: double<br/>succeeded"`);
    const view = JSON.parse(
      (await ask(["graph", "--key", "drawn", "-o", "json"], folder)).stdout,
    ) as GraphView;
    const [, once] = view.tasks;
    expect(await ask(["graph", once?.id ?? ""], folder)).toEqual(tree);
  });

  test("that are wrong are refused with every problem on a line of its own", async () => {
    const folder = folderWith({
      "graph.yaml":
        "{ name: bad, graph: { tasks: { a: { definition: x, after: [b] } }, result: c } }",
      "stages.yaml": "stages: [a]\njobs: [{ name: x, stage: b, kind: Shell, version: 1.0 }]",
      "form.yaml": "name: x\n  graph: y: z",
      "other.json": "[]",
      "lost.yaml": "name: x\ngraph: { tasks: *nowhere }",
      "bomb.yaml": bomb,
      "nameless.yaml": "stages: [a]\njobs: [{ name: x, stage: a, kind: Shell }]",
    });
    const files = [
      "graph.yaml",
      "stages.yaml",
      "form.yaml",
      "other.json",
      "nameless.yaml",
      "none.yaml",
      "lost.yaml",
      "bomb.yaml",
    ];
    const refusals = await Promise.all(files.map((file) => ask(["apply", "-f", file], folder)));
    expect(refusals.map(({ code, stdout }) => ({ code, stdout }))).toEqual(
      refusals.map(() => ({ code: 2, stdout: "" })),
    );
    const [graph, stages, form, other, nameless, none, lost, bombed] = refusals.map(
      ({ stderr }) => stderr,
    );
    expect(graph?.split("\n").toSorted()).toEqual([
      "",
      '  graph.result names no task: "c"',
      '  graph.tasks.a.after[0] names no task: "b"',
      "error: the pipeline has 2 problems",
    ]);
    expect(stages).toMatch(/^ {2}jobs\[0\]\.version .*quotes$/m);
    expect(stages).toMatch(/^ {2}jobs\[0\]\.stage names no stage: b$/m);
    expect(form).toMatch(/form\.yaml is neither YAML nor JSON: line \d+, column \d+: /);
    expect(other).toContain("neither a graph, nor tasks, nor stages");
    expect(nameless).toContain("--name");
    expect(none).toContain("none.yaml cannot be read");
    expect(lost).toBe(
      "error: lost.yaml cannot be used: line 2, column 17: *nowhere has no anchor &nowhere before it\n",
    );
    expect(bombed).toMatch(/^error: bomb\.yaml cannot be used: Excessive alias count/);
  });

  test("may name their schema, as a graph by itself, too", async () => {
    const graph = { tasks: { it: { definition: "double", input: { n: 4 } } }, result: "it" };
    const $schema = "https://example.com/pipeline.schema.json";
    const folder = folderWith({
      "bare.json": JSON.stringify({ $schema, ...graph }),
      "body.json": JSON.stringify({ $schema, graph }),
    });
    for (const file of ["bare.json", "body.json"]) {
      expect(await ask(["run", "-f", file], folder)).toMatchObject({ stdout: "8\n", stderr: "" });
    }
  });

  test("are timed out as a whole", async () => {
    const folder = folderWith({
      "p.yaml": stringify({
        tasks: { it: { definition: "Shell", input: { of: "whole", job: "stuck", hangs: 9 } } },
        result: "it",
      }),
    });
    const words = ["run", "-f", "p.yaml", "--key", "whole-1", "--timeout", "300ms"];
    const run = await ask(words, folder);
    expect(run).toMatchObject({ code: 1, stdout: "" });
    expect(run.stderr).toMatch(/^error: task \S+ timed out/);
    const unread = await ask(["run", "-f", "p.yaml", "--timeout", "7"], folder);
    expect(unread).toMatchObject({ code: 2, stdout: "" });
    expect(unread.stderr).toContain("--timeout must be a duration");
  });

  test("exclude what is said of a registered pipeline", async () => {
    const folder = folderWith({ "p.yaml": quadruple });
    for (const words of [["quadruple", "-f", "p.yaml"], ["-f", "p.yaml", "--version", "1"], []]) {
      expect(await ask(["run", ...words], folder)).toMatchObject({ code: 2, stdout: "" });
    }
  });
});

describe.concurrent("a stage pipeline", { timeout: 60_000 }, () => {
  test("runs its stages one after another; jobs are allowed to fail, tried again and timed out", async () => {
    const folder = folderWith({
      "stages.yaml": stringify({
        name: "release",
        stages: ["build", "test", "deploy"],
        jobs: [
          { ...job("release", "compile", { failures: 2 }), stage: "build", retry_attempt: 2 },
          { ...job("release", "docs", { failures: 9 }), stage: "build", allow_failure: true },
          {
            ...job("release", "slow", { hangs: 1 }),
            stage: "test",
            retry_attempt: 1,
            timeout: 0.3,
          },
          {
            ...job("release", "stuck", { hangs: 9 }),
            stage: "test",
            allow_failure: true,
            timeout: 0.3,
          },
          { ...job("release", "push"), stage: "deploy" },
        ],
      }),
    });
    await ask(["apply", "-f", "stages.yaml"], folder);
    const run = await ask(["run", "release", "--key", "release-1"], folder);
    expect(run).toMatchObject({ code: 0, stdout: `"push done"\n` });
    const statuses = await statusesUnder("release-1");
    expect(statuses).toEqual({
      release: "succeeded",
      build: "succeeded",
      compile: "succeeded 3",
      docs: "failed 1",
      test: "succeeded",
      slow: "succeeded 2",
      stuck: "failed 1",
      deploy: "succeeded",
      push: "succeeded 1",
    });
    const order = started.get("release") ?? [];
    expect(order.lastIndexOf("compile")).toBeLessThan(order.indexOf("slow"));
    expect(order.slice(0, 2).toSorted()).toEqual(["compile", "docs"]);
    expect(order.at(-1)).toBe("push");
  });

  test("stops when a job fails: jobs beside it run on, later stages do not start", async () => {
    const folder = folderWith({
      "stages.json": JSON.stringify({
        stages: ["build", "optional", "deploy"],
        jobs: [
          { ...job("stopped", "broken", { failures: 9 }), stage: "build" },
          { ...job("stopped", "beside"), stage: "build" },
          { ...job("stopped", "nicety"), stage: "optional", allow_failure: true },
          { ...job("stopped", "push"), stage: "deploy" },
        ],
      }),
    });
    const run = await ask(["run", "-f", "stages.json", "--key", "stopped-1"], folder);
    expect(run).toMatchObject({ code: 1, stdout: "" });
    expect(run.stderr).toContain("broken broke");
    expect(started.get("stopped")?.toSorted()).toEqual(["beside", "broken"]);
    expect(await statusesUnder("stopped-1")).toEqual({
      pipeline: "failed",
      build: "failed",
      broken: "failed 1",
      beside: "succeeded 1",
      optional: "failed",
      deploy: "failed",
    });
  });

  test("a job that times out more often than it is tried again fails its stage", async () => {
    const folder = folderWith({
      "stages.yaml": stringify({
        stages: ["build", "deploy"],
        jobs: [
          { ...job("late", "stuck", { hangs: 9 }), stage: "build", retry_attempt: 1, timeout: 0.2 },
          { ...job("late", "push"), stage: "deploy" },
        ],
      }),
    });
    const run = await ask(["run", "-f", "stages.yaml", "--key", "late-1"], folder);
    expect(run).toMatchObject({ code: 1, stdout: "" });
    expect(started.get("late")).toEqual(["stuck", "stuck"]);
    expect(await statusesUnder("late-1")).toMatchObject({ stuck: "failed 2", build: "failed" });
  });
});

/** Statuses by name, with the number of attempts of what workers do. */
async function statusesUnder(key: string): Promise<Record<string, string>> {
  const root = await client.get({ key });
  const { stdout } = await ask(["graph", root.id, "-o", "json"], makeEmptyFolder());
  const view = JSON.parse(stdout) as GraphView;
  const tasks = await Promise.all(view.tasks.map(({ id }) => client.get(id)));
  const attempts = new Map(tasks.map(({ id, attempt }: TaskView) => [id, attempt]));
  return Object.fromEntries(
    view.tasks.map(({ id, name, kind, status }) => [
      name,
      kind === "task" ? `${status} ${attempts.get(id)}` : status,
    ]),
  );
}

function job(of: string, name: string, orders: Partial<Orders> = {}): object {
  return { name, kind: "Shell", params: { of, job: name, ...orders } };
}

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = makeEmptyFolder();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

function ask(words: readonly string[], folder: string, input?: string): Promise<Ended> {
  return ktk([...words, "--url", url], { folder, ...(input !== undefined && { input }) });
}
