import type { Call } from "../../../sdk/index.ts";
import { createSeededEntropy } from "../seeded-entropy.ts";
import { flaky, nap, noop, stairs } from "./tasks.ts";

/** One thing to do, so many milliseconds after the start. */
export type Deed =
  | { readonly atMs: number; readonly kind: "kill"; readonly name: string; readonly awayMs: number }
  | { readonly atMs: number; readonly kind: "crashDatabase" }
  | { readonly atMs: number; readonly kind: "submit" | "run"; readonly key: string; call: Call };

interface PlanShape {
  readonly seed: number;
  readonly durationMs: number;
  readonly submits: number;
  readonly nodes: readonly string[];
  readonly workers: readonly string[];
  readonly nodeKills: number;
  readonly workerKills: number;
  readonly databaseCrashes: number;
}

/** How long a killed process stays away. */
const awayMsMax = 1_000;
/** Every fourth worker stays away until only the end of its lease can tell that it is gone. */
const longAwayEvery = 4;
const longAwayMs = 5_000;
/** The calm before the first fault and after the last one. */
const calmMs = 2_000;
const runShare = 0.15;
/** Of submits that are sent a second time under their key, later and maybe to another node. */
const repeatShare = 0.05;

/** Everything that a run of chaos does and when, drawn from a seed before it begins. */
export function drawPlan(shape: PlanShape): readonly Deed[] {
  const { random } = createSeededEntropy(shape.seed);
  const deeds = [
    ...drawFaults(shape, random),
    ...Array.from({ length: shape.submits }, (_, n) => drawSubmits(n, { shape, random })).flat(),
  ];
  return deeds.sort((a, b) => a.atMs - b.atMs);
}

/**
 * Each at a drawn moment of its own share of the time. Nodes die in turn, and none while another is
 * still starting: one always lives, or there would be nobody to take over in time.
 */
function drawFaults(shape: PlanShape, random: () => number): Deed[] {
  const { nodes, workers, durationMs } = shape;
  const spread = (count: number, act: (atMs: number, index: number) => Deed) =>
    Array.from({ length: count }, (_, index) => {
      const shareMs = (durationMs - 2 * calmMs) / count;
      return act(calmMs + shareMs * (index + 0.5 * random()), index);
    });
  const drawn = (names: readonly string[]) => names[Math.floor(random() * names.length)] ?? "";
  return [
    ...spread(shape.nodeKills, (atMs, index) => {
      const name = nodes[index % nodes.length] ?? "";
      return { kind: "kill", atMs, name, awayMs: random() * awayMsMax };
    }),
    ...spread(shape.workerKills, (atMs, index) => {
      const isLong = index % longAwayEvery === longAwayEvery - 1;
      const awayMs = isLong ? longAwayMs : random() * awayMsMax;
      return { kind: "kill", atMs, name: drawn(workers), awayMs };
    }),
    ...spread(shape.databaseCrashes, (atMs) => ({ kind: "crashDatabase", atMs })),
  ];
}

function drawSubmits(n: number, { shape, random }: Drawing): Deed[] {
  const atMs = random() * shape.durationMs;
  const kind = random() < runShare ? "run" : "submit";
  const first: Deed = { atMs, kind, key: `task-${n}`, call: drawCall(n, random) };
  if (random() >= repeatShare) return [first];
  return [first, { ...first, atMs: atMs + random() * (shape.durationMs - atMs) }];
}

interface Drawing {
  readonly shape: PlanShape;
  readonly random: () => number;
}

function drawCall(n: number, random: () => number): Call {
  const ms = Math.round(100 + random() * 400);
  const kind = random();
  if (kind < 0.3) return noop({ n });
  if (kind < 0.65) return nap({ n, ms });
  if (kind < 0.85) return stairs({ n, ms: ms / 3, steps: 3 });
  return flaky({ n });
}
