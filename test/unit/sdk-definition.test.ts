import { describe, expect, test } from "vitest";
import { z } from "zod";
import { task } from "../../sdk/definition.ts";

describe("task", () => {
  test("gives a definition that makes frozen calls", () => {
    const download = task("download", { version: "2" }, () => 1);
    const call = download({ url: "x" });
    expect(call).toEqual({ definition: "download", version: "2", input: { url: "x" } });
    expect(Object.isFrozen(call)).toBe(true);
    expect([download.name, download.kind]).toEqual(["download", "task"]);
    expect(task("plain", {}, () => 1)()).toEqual({ definition: "plain" });
  });

  test.each(["", "two words", "é", "x".repeat(201)])("refuses the name %j", (name) => {
    expect(() => task(name, {}, () => 1)).toThrow(
      expect.objectContaining({ code: "invalid-definition" }),
    );
  });

  test.each(["", "1 beta", "é", "1".repeat(201)])("refuses the version %j", (version) => {
    expect(() => task("x", { version }, () => 1)).toThrow(
      expect.objectContaining({
        code: "invalid-definition",
        message: expect.stringContaining('definition "x": its version must match'),
      }),
    );
  });

  test("refuses an unreadable duration", () => {
    expect(() => task("x", { retry: { min: "soon" as "1s" } }, () => 1)).toThrow("not a duration");
  });

  // What JavaScript lets through, and TypeScript does not.
  test.each([
    [
      () => task("x", (() => 1) as never, undefined as never),
      "write task(name, options, function)",
    ],
    [
      () => task("x", { input: { type: "object" } as never }, () => 1),
      "its input is not described by a Standard Schema",
    ],
    [
      () => task("x", { output: {} as never }, () => 1),
      "its output is not described by a Standard Schema",
    ],
  ])("refuses what is no definition: %#", (define, message) => {
    expect(define).toThrow(
      expect.objectContaining({
        code: "invalid-definition",
        message: expect.stringContaining(message),
      }),
    );
  });

  test("goes without a JSON Schema where one cannot be written", () => {
    const dated = task("dated", { input: z.object({ at: z.date() }) }, () => 1);
    expect(dated.served).toEqual({ name: "dated" });
  });
});
