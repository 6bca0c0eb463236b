import { describe, expect, test } from "vitest";
import { preprocessorFailed } from "../../../runtime/graph/faults.ts";
import { limits } from "../../../sdk/protocol/limits.ts";

const code = "preprocessor-threw";

describe("a preprocessor's fault", () => {
  test("is the error of its task, which no other try would change", () => {
    const { error } = preprocessorFailed({ name: "TypeError", code, message: "no" });
    const message = "in its preprocessor: no";
    expect(error).toEqual({ name: "TypeError", code, message, retryable: false });
  });

  test("has no character that cannot be stored", () => {
    const { error } = preprocessorFailed({ name: "N\0\udc00", code, message: "a\0b\ud800" });
    expect(error).toMatchObject({
      name: "N\ufffd\ufffd",
      message: "in its preprocessor: a\ufffdb\ufffd",
    });
  });

  test("is no longer than any other error", () => {
    const { error } = preprocessorFailed({
      name: "€".repeat(1_024),
      code,
      message: "€".repeat(1_024),
    });
    expect(Buffer.byteLength(error.name)).toBeLessThanOrEqual(200);
    expect(Buffer.byteLength(error.message)).toBeLessThanOrEqual(limits.errorMessageBytesMax);
    expect(error.message).toMatch(/^in its preprocessor: €+…$/);
  });
});
