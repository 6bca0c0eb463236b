import { type Quantiles, quantiles } from "./quantiles.ts";

/** `value` is the median over the runs, `spread` their least and greatest value, in `unit`. */
export type Figure = Partial<Quantiles> & {
  workload: string;
  value: number;
  unit: string;
  spread: [number, number];
};

export type Report = (figure: Figure) => void;

/** What a peer's module exports as `measure`. */
export type Measure = (databaseUrl: string, report: Report) => Promise<void>;

export const taskInput = { url: "https://example.org/a/page/of/text", note: "x".repeat(43) };

const runs = 3;
const warmUpShare = 0.1;

/** Takes a function that completes `count` pieces of work and returns the milliseconds it took. */
export async function measureRate(
  names: { workload: string; unit: string },
  { count, run }: { count: number; run: (count: number) => Promise<number> },
): Promise<Figure> {
  await run(Math.ceil(count * warmUpShare));
  const rates: number[] = [];
  for (let i = 0; i < runs; i += 1) rates.push((count * 1_000) / (await run(count)));
  return { ...names, value: quantiles(rates).p50, spread: spreadOf(rates) };
}

/** Takes one piece of work at a time; the quantiles are those of the median run. */
export async function measureLatency(
  workload: string,
  { samples, once }: { samples: number; once: () => Promise<void> },
): Promise<Figure> {
  await timeEach(Math.ceil(samples * warmUpShare), once);
  const each: Quantiles[] = [];
  for (let i = 0; i < runs; i += 1) each.push(quantiles(await timeEach(samples, once)));
  const medians = each.map(({ p50 }) => p50);
  const value = quantiles(medians).p50;
  const median = each.find(({ p50 }) => p50 === value);
  return { workload, value, unit: "ms", ...median, spread: spreadOf(medians) };
}

export async function timed(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** Keeps `inFlight` pieces of work under way until `count` have ended. */
export async function keepInFlight(
  { count, inFlight }: { count: number; inFlight: number },
  work: () => Promise<void>,
): Promise<void> {
  let begun = 0;
  async function drain(): Promise<void> {
    while (begun < count) {
      begun += 1;
      await work();
    }
  }
  await Promise.all(Array.from({ length: inFlight }, drain));
}

async function timeEach(samples: number, once: () => Promise<void>): Promise<number[]> {
  const each: number[] = [];
  for (let i = 0; i < samples; i += 1) each.push(await timed(once));
  return each;
}

function spreadOf(values: number[]): [number, number] {
  return [Math.min(...values), Math.max(...values)];
}
