import { beforeEach, describe, expect, test } from "vitest";
import { DatabaseClock } from "../../runtime/ports/database-clock.ts";

let ownMs: number;
let clock: DatabaseClock;

beforeEach(() => {
  ownMs = 1_000_000;
  const ignore = () => {};
  const now = () => ownMs;
  clock = new DatabaseClock({ now, monotonic: now, after: () => ignore, soon: ignore });
});

/** Asks a database that is so far ahead; it looks at its clock between the two ways. */
function ask({ aheadMs, thereMs, backMs }: { aheadMs: number; thereMs: number; backMs: number }) {
  const askedAt = ownMs;
  ownMs += thereMs;
  const databaseNow = ownMs + aheadMs;
  ownMs += backMs;
  clock.correct(databaseNow, askedAt);
}

describe.each([0, 60_000, -60_000])("of a database that is %i ms ahead", (aheadMs) => {
  test("it is right but for what the question took", () => {
    ask({ aheadMs, thereMs: 1, backMs: 1 });
    expect(Math.abs(clock.now() - ownMs - aheadMs)).toBeLessThanOrEqual(1);
  });

  test.each([
    ["question", { thereMs: 4_000, backMs: 1 }],
    ["answer", { thereMs: 1, backMs: 4_000 }],
  ])("the %s that was long on its way does not set it wrong", (_, ways) => {
    ask({ aheadMs, thereMs: 1, backMs: 1 });
    ask({ aheadMs, ...ways });
    expect(Math.abs(clock.now() - ownMs - aheadMs)).toBeLessThanOrEqual(1);
  });

  test("it follows when one of the two is set anew", () => {
    ask({ aheadMs, thereMs: 1, backMs: 1 });
    ask({ aheadMs: aheadMs + 500, thereMs: 1, backMs: 1 });
    expect(Math.abs(clock.now() - ownMs - aheadMs - 500)).toBeLessThanOrEqual(1);
  });

  test("it follows when its own is set back while it asks", () => {
    ask({ aheadMs, thereMs: 1, backMs: 1 });
    ask({ aheadMs: aheadMs + 3_600_000, thereMs: 1 - 3_600_000, backMs: 1 });
    expect(Math.abs(clock.now() - ownMs - aheadMs - 3_600_000)).toBeLessThanOrEqual(1);
  });
});
