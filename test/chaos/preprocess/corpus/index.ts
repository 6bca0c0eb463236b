import { escapes } from "./escapes.ts";
import { leftovers } from "./leftovers.ts";
import { loops } from "./loops.ts";
import { depth, memory } from "./memory.ts";
import { outputs } from "./outputs.ts";
import type { Row } from "./row.ts";

/** Every hostile snippet, by what it attacks. */
export const corpus: Readonly<Record<string, readonly Row[]>> = {
  loops,
  memory,
  depth,
  escapes,
  leftovers,
  outputs,
};
