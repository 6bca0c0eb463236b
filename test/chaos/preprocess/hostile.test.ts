import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSandbox, type Sandbox } from "../../../runtime/preprocess/index.ts";
import { corpus } from "./corpus/index.ts";
import { endOf, innocent, innocentInput, innocentOutput, unchecked } from "./rig.ts";

/** For what has to be stopped; and for what has to end by itself, however loaded the machine. */
const shortMs = 60;
const longMs = 2_000;
const overtimeMs = 50;
// Two cores run this beside another test file: the timer, the kill and the answer each wait for a
// turn. Alone, none of the corpus is later than the overtime.
const schedulingMs = 200;
const memoryCapMiB = 32;
const memoryBesideMiB = 64;
const innocentDeadlineMs = 10_000;

let sandbox: Sandbox;
let restingMiB = 0;
let peakMiB = 0;
let latestMs = 0;
let sampling: NodeJS.Timeout;

beforeAll(async () => {
  sandbox = openSandbox({ threads: 1 });
  await callInnocent("warm");
  restingMiB = residentMiB();
  sampling = setInterval(() => {
    peakMiB = Math.max(peakMiB, residentMiB());
  }, 5);
});

afterAll(async () => {
  clearInterval(sampling);
  await sandbox.close();
});

test("the corpus is large, and names each snippet once", () => {
  const rows = Object.values(corpus).flat();
  expect(rows.length).toBeGreaterThanOrEqual(150);
  expect(new Set(rows.map(([, code]) => code)).size).toBe(rows.length);
});

describe.each(Object.entries(corpus))("%s", (room, rows) => {
  test.each(rows)("%s", async (tries, code, ends) => {
    const namespace = `${room}/${tries}`;
    await callInnocent(namespace);
    const begunAt = performance.now();
    const preprocessor = unchecked(code);
    const isStopped = Array.isArray(ends) && ends.includes("timeout");
    const deadlineMs = isStopped ? shortMs : longMs;
    const work = { namespace, preprocessor, input: "{}", deadlineMs };
    const end = endOf(await sandbox.reshape(work));
    const tookMs = performance.now() - begunAt;
    latestMs = Math.max(latestMs, tookMs - deadlineMs);

    if (typeof end === "string" && Array.isArray(ends)) expect(ends).toContain(end);
    else expect(end).toEqual(ends);
    expect(tookMs).toBeLessThanOrEqual(deadlineMs + overtimeMs + schedulingMs);
    expect(await callInnocent(namespace)).toEqual({ output: innocentOutput });
    // What it left for itself would show here.
    if (!isStopped) expect(endOf(await sandbox.reshape(work))).toEqual(end);
  });
});

test("memory stays under the cap and 64 MiB", () => {
  console.log(
    `hostile corpus: at most ${latestMs.toFixed(0)} ms after the deadline, ` +
      `at most ${(peakMiB - restingMiB).toFixed(0)} MiB above ${restingMiB.toFixed(0)} MiB`,
  );
  expect(peakMiB - restingMiB).toBeLessThanOrEqual(memoryCapMiB + memoryBesideMiB);
});

async function callInnocent(namespace: string) {
  const work = { namespace, preprocessor: innocent, input: innocentInput };
  return endOf(await sandbox.reshape({ ...work, deadlineMs: innocentDeadlineMs }));
}

function residentMiB(): number {
  return process.memoryUsage.rss() / 2 ** 20;
}
