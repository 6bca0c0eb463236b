import { describe, expect, test } from "vitest";
import { judge, type Outcome, outputOf } from "../../../runtime/graph/outcome.ts";
import { isEnded, type TaskError } from "../../../sdk/protocol/task.ts";

const boom: TaskError = { name: "Error", message: "boom", code: "E1", stack: "at x" };

function outcome(name: string, given: Partial<Outcome> = {}): Outcome {
  const status = given.status ?? "succeeded";
  return {
    name,
    id: `id-${name}`,
    status,
    output: status === "succeeded" ? JSON.stringify(name) : null,
    error: status === "failed" || status === "cancelled" ? JSON.stringify(boom) : null,
    onFailure: "fail",
    ...given,
  };
}

const done = outcome("done");
const skipped = outcome("skipped", { status: "skipped" });
const broken = (status: "failed" | "cancelled", onFailure: Outcome["onFailure"]) =>
  outcome("broken", { status, onFailure });

describe("judge", () => {
  test.each<[name: string, outcomes: readonly Outcome[], verdict: string]>([
    ["nothing", [], "go"],
    ["a success", [done], "go"],
    ["a failure", [done, broken("failed", "fail")], "fail"],
    ["a cancelled task", [done, broken("cancelled", "fail")], "fail"],
    ["a failure that goes on as a value", [broken("failed", "continue")], "go"],
    ["a failure that is allowed", [broken("failed", "allow")], "go"],
    ["a cancelled task that is allowed", [broken("cancelled", "allow")], "go"],
    ["a skipped task", [done, skipped], "skip"],
    ["a skipped task, whatever its policy", [{ ...skipped, onFailure: "allow" }], "skip"],
    ["a skipped task and then a failure", [skipped, broken("failed", "fail")], "fail"],
    ["a skipped task and an allowed failure", [broken("failed", "allow"), skipped], "skip"],
  ])("%s", (_, outcomes, verdict) => {
    expect(judge(outcomes).kind).toBe(verdict);
  });

  test("says who was skipped", () => {
    expect(judge([done, skipped])).toEqual({ kind: "skip", reason: "skipped was skipped" });
  });

  test("says what failed, and why, without the stack", () => {
    expect(judge([broken("failed", "fail")])).toEqual({
      kind: "fail",
      error: {
        name: "DependencyError",
        code: "dependency-failed",
        message: "broken failed: boom",
        retryable: false,
        data: { task: "id-broken", name: "broken" },
        cause: { name: "Error", message: "boom", code: "E1" },
      },
    });
  });

  test("does without an error that is not there", () => {
    const verdict = judge([{ ...broken("cancelled", "fail"), error: null }]);
    expect(verdict).toMatchObject({ error: { message: "broken cancelled: cancelled" } });
    expect(verdict).not.toHaveProperty("error.cause");
  });

  test("passes the root cause on, however long the chain", () => {
    let failed = broken("failed", "fail");
    const first = judge([failed]);
    for (let link = 0; link < 100; link += 1) {
      const verdict = judge([failed]);
      if (verdict.kind !== "fail") throw new Error("it goes on");
      failed = outcome(`link-${link}`, { status: "failed", error: JSON.stringify(verdict.error) });
    }
    expect(judge([failed])).toEqual(first);
  });
});

test.each<[name: string, given: Outcome, output: unknown]>([
  ["a success", done, "done"],
  ["a success with nothing", { ...done, output: null }, null],
  ["a skipped task", skipped, null],
  ["an allowed failure", broken("failed", "allow"), null],
  ["a failure as a value", broken("failed", "continue"), { error: boom }],
  ["a cancelled task as a value", broken("cancelled", "continue"), { error: boom }],
  ["a skipped task that would go on as a value", { ...skipped, onFailure: "continue" }, null],
])("the output of %s", (_, given, output) => {
  expect(outputOf(given)).toEqual(output);
});

test.each([
  ["waiting", false],
  ["ready", false],
  ["running", false],
  ["suspended", false],
  ["cancelling", false],
  ["paused", false],
  ["quarantined", false],
  ["succeeded", true],
  ["failed", true],
  ["cancelled", true],
  ["skipped", true],
] as const)("a task that is %s is settled: %j", (status, isIt) => {
  expect(isEnded(status)).toBe(isIt);
});
