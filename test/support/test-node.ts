import type { Store } from "../../runtime/store/store.ts";
import type { Committed, Turn } from "../../runtime/store/turns.ts";
import { newId } from "./turns.ts";

/** A node as the store sees it: a lease, and batches that count up in one lane. */
export interface TestNode {
  readonly id: string;
  commit(...turns: readonly Turn[]): Promise<Committed>;
}

/** Leases that a test does not end last longer than any test. */
const endlessMs = 600_000;

export async function enlistNode(store: Store): Promise<TestNode> {
  const id = newId();
  await store.nodes.enlist(
    { incarnation: id, host: "host-1", pid: 42, processStart: "4711" },
    endlessMs,
  );
  let batches = 0;
  return {
    id,
    commit(...turns) {
      batches += 1;
      return store.commits.commit({ node: id, lane: 0, id: batches, turns });
    },
  };
}
