import type { Call } from "../../../sdk/index.ts";
import { each } from "../../../sdk/index.ts";
import { flaky, nap, noop } from "./tasks.ts";

/** A graph, how many tasks it makes under its root, and what it has to come to. */
export interface Shape {
  readonly call: Call;
  readonly tasks: number;
  readonly output: unknown;
}

const links = 8;
const width = 12;

/** One after the other, without pause: there is always a task that has just been let go. */
function chain(n: number): Shape {
  let last = noop({ n });
  for (let link = 1; link < links; link += 1) {
    const input = { n: last.output.n };
    last = link % 4 === 0 ? flaky(input) : noop(input);
  }
  return { call: last, tasks: links, output: { n } };
}

function fan(n: number): Shape {
  const first = noop({ n });
  const parts = Array.from({ length: width }, (_, part) =>
    part % 3 === 0 ? nap({ n: first.output.n, ms: 50 * part }) : noop({ n: first.output.n }),
  );
  return { call: noop({ n: first.output.n }).after(...parts), tasks: width + 2, output: { n } };
}

function copies(n: number): Shape {
  const items = Array.from({ length: width }, (_, index) => n + index);
  const call = each(items, (item) => noop({ n: nap({ n: item, ms: 30 }).output.n }), {
    limit: 1 + (n % 5),
  });
  return { call, tasks: 2 * width + 1, output: items.map((item) => ({ n: item })) };
}

const shapes = [chain, fan, copies];

export function shapeOf(n: number): Shape {
  const make = shapes[n % shapes.length] ?? chain;
  return make(n);
}
