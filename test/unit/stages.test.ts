import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { checkGraph } from "../../runtime/graph/check.ts";
import { checkVertex } from "../../runtime/service/submit-check.ts";
import { isKantokuError } from "../../sdk/index.ts";
import { fromStages, hasStages } from "../../sdk/stages/from-stages.ts";

const document = `
name: release
stages: [build, unused, test, deploy]
jobs:
  - name: compile
    stage: build
    kind: Shell
    version: "1.0.0"
    params: { command: make }
  - name: smoke
    stage: test
    kind: Shell
    allow_failure: true
  - name: unit
    stage: test
    kind: Shell
    priority: 5
    retry_attempt: 2
    timeout: 1.5
  - name: push
    stage: deploy
    kind: K8S/Deployment
`;

describe("a stage pipeline as a graph", () => {
  const { name, graph } = fromStages(parse(document));

  test("has a task for every stage that has jobs, each after the one before", () => {
    expect(name).toBe("release");
    expect(graph.result).toBe("deploy");
    expect(Object.entries(graph.tasks).map(([stage, { after }]) => [stage, after])).toEqual([
      ["build", undefined],
      ["test", ["build"]],
      ["deploy", ["test"]],
    ]);
  });

  test("has the jobs of a stage side by side, with what they ask for", () => {
    expect(graph.tasks["build"]).toEqual({
      graph: {
        tasks: {
          compile: {
            definition: "Shell",
            version: "1.0.0",
            input: { command: "make" },
            priority: 10,
            retry: { maxAttempts: 1 },
          },
        },
        result: "compile",
      },
    });
    expect(graph.tasks["test"]).toEqual({
      after: ["build"],
      graph: {
        tasks: {
          smoke: {
            definition: "Shell",
            input: {},
            priority: 10,
            retry: { maxAttempts: 1 },
            onFailure: "allow",
          },
          unit: {
            definition: "Shell",
            input: {},
            priority: 5,
            retry: { maxAttempts: 3 },
            attemptTimeoutMs: 1_500,
          },
        },
        result: "unit",
      },
    });
  });

  test("is a graph that the runtime takes", () => {
    expect(checkGraph(graph, { checkVertex, checkSource: () => [] })).toEqual([]);
  });

  test("is the same from JSON as from YAML", () => {
    const asJson: unknown = JSON.parse(JSON.stringify(parse(document)));
    expect(fromStages(asJson)).toEqual({ name, graph });
  });
});

test("a stage may have the name of a job, and grows by a line for each job, not by their product", () => {
  const jobs = Array.from({ length: 900 }, (_, index) => ({
    name: index === 0 ? "one" : `job-${index}`,
    stage: index < 450 ? "one" : "two",
    kind: "x",
  }));
  const { graph } = fromStages({ stages: ["one", "two"], jobs });
  expect(JSON.stringify(graph).length).toBeLessThan(900 * 200);
  expect(checkGraph(graph, { checkVertex, checkSource: () => [] })).toEqual([]);
});

test("everything that is wrong is listed at once, with where it is", () => {
  const problems = problemsOf({
    name: "a b",
    stage: [],
    stages: ["build", "build", 7],
    jobs: [
      { name: "a", stage: "build", kind: "x", version: 1, priority: 1.5, timeout: 0 },
      { name: "a", stage: "nowhere", kind: "x y", retry_attempt: -1, allow_failure: "yes" },
      { stage: "nowhere", retries: 1, params: [] },
      "job",
    ],
  });
  expect(problems.map(({ path }) => path)).toEqual([
    "stage",
    "name",
    "stages[1]",
    "stages[2]",
    "jobs[0].version",
    "jobs[0].priority",
    "jobs[0].timeout",
    "jobs[1].kind",
    "jobs[1].retry_attempt",
    "jobs[1].allow_failure",
    "jobs[1].name",
    "jobs[1].stage",
    "jobs[2].retries",
    "jobs[2].name",
    "jobs[2].kind",
    "jobs[2].params",
    "jobs[2].stage",
    "jobs[3]",
  ]);
  expect(problems.find(({ path }) => path === "jobs[0].version")?.message).toContain("quotes");
});

test.each([
  [null, [""]],
  [[], [""]],
  [{}, ["stages", "jobs"]],
  [{ stages: "build", jobs: {} }, ["stages", "jobs"]],
  [{ stages: ["build"], jobs: [] }, ["jobs"]],
])("%j is no stage pipeline", (given, paths) => {
  expect(problemsOf(given).map(({ path }) => path)).toEqual(paths);
});

test("a document with stages is one, however bad", () => {
  expect([{ stages: 1 }, { tasks: {} }, null, []].map(hasStages)).toEqual([
    true,
    false,
    false,
    false,
  ]);
});

interface Problem {
  readonly path: string;
  readonly message: string;
}

function problemsOf(given: unknown): readonly Problem[] {
  try {
    fromStages(given);
  } catch (error) {
    if (isKantokuError(error, "invalid-definition")) return error.data["problems"] as Problem[];
    throw error;
  }
  throw new Error("it was taken");
}
