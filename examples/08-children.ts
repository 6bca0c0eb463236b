// A task that finds out while it runs what else is to be done, and runs itself for that. One slot
// is enough, and an attempt that runs again finds the children of the one before. Prints:
//
//   house, attempt 1
//   kitchen, attempt 1
//   fridge, attempt 1
//   stove, attempt 1
//   cellar, attempt 1
//   barrel, attempt 1
//   cellar, attempt 2
//   21 things, counted by 6 tasks

import { task } from "kantoku";
import { start } from "kantoku/runtime";
import { z } from "zod";

const house: Readonly<Record<string, { things: number; places: readonly string[] }>> = {
  house: { things: 1, places: ["kitchen", "cellar"] },
  kitchen: { things: 4, places: ["fridge", "stove"] },
  fridge: { things: 9, places: [] },
  stove: { things: 2, places: [] },
  cellar: { things: 2, places: ["barrel"] },
  barrel: { things: 3, places: [] },
};

const count = task(
  "count",
  { input: z.object({ place: z.string() }), retry: { maxAttempts: 2, min: "10ms" } },
  // What calls itself has to say its type.
  async ({ place }, { attempt, run }): Promise<number> => {
    console.log(`${place}, attempt ${attempt}`);
    const { things = 0, places = [] } = house[place] ?? {};
    let sum = things;
    // A task that waits for a child takes no slot. A child is known by its parent, its definition
    // and the how-manieth of that definition it is, so ask for them in the same order every time.
    for (const inner of places) sum += await run(count({ place: inner }));
    if (place === "cellar" && attempt === 1) throw new Error("the light went out");
    return sum;
  },
);

const kantoku = await start({ definitions: [count], slots: 1 });
const handle = await kantoku.submit(count({ place: "house" }));
const things = await handle.result();

// Everything under one root can be listed, and is cancelled with it.
const { tasks } = await kantoku.list({ root: handle.id });
console.log(`${things} things, counted by ${tasks.length} tasks`);

await kantoku.close();
