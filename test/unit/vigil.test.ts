import { afterEach, describe, expect, it, vi } from "vitest";
import { Vigil } from "../../runtime/store/postgres/commits/vigil.ts";

const looks = vi.spyOn(globalThis, "setImmediate");

describe("vigil", () => {
  afterEach(() => looks.mockClear());

  it("keeps the loop awake over a commit of few turns, until it is answered", async () => {
    const commit = Promise.withResolvers<string>();
    const over = new Vigil(2).over(1, commit.promise);
    expect(looks).toHaveBeenCalledTimes(1);
    await loopTurned();
    commit.resolve("committed");
    expect(await over).toBe("committed");
    await loopTurned();
    looks.mockClear();
    await loopTurned();
    expect(looks).not.toHaveBeenCalled();
  });

  it("gives up on a commit that takes long", async () => {
    void new Vigil(2).over(1, new Promise(() => {}));
    const startedAt = performance.now();
    while (performance.now() < startedAt + 2);
    await loopTurned();
    looks.mockClear();
    await loopTurned();
    expect(looks).not.toHaveBeenCalled();
  });

  it("ends with the commit that failed", async () => {
    const vigil = new Vigil(2);
    await expect(vigil.over(1, Promise.reject(new Error("refused")))).rejects.toThrow("refused");
    await loopTurned();
    looks.mockClear();
    void vigil.over(1, new Promise(() => {}));
    expect(looks).toHaveBeenCalledTimes(1);
  });

  it.each([
    ["of many turns", 2, 5, 0],
    ["beside another one", 2, 1, 1],
    ["on a single processor", 1, 1, 0],
  ])("lets the loop sleep over a commit %s", (_, processors, turns, others) => {
    const vigil = new Vigil(processors);
    for (let other = 0; other < others; other += 1) void vigil.over(5, new Promise(() => {}));
    void vigil.over(turns, new Promise(() => {}));
    expect(looks).not.toHaveBeenCalled();
  });
});

/** The loop has come round twice, seen by a timer and not by what is spied on. */
async function loopTurned(): Promise<void> {
  for (let round = 0; round < 2; round += 1) await new Promise((resolve) => setTimeout(resolve, 0));
}
