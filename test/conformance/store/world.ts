import type { Store } from "../../../runtime/store/store.ts";
import type { TestNode } from "../../support/test-node.ts";

/** What one conformance test has: a store of its own, and time. */
export interface World {
  readonly store: Store;
  advance(ms: number): Promise<void>;
}

/** Ends a node's lease; its row stays. A test that began with a short lease would race it. */
export async function expireNode({ store, advance }: World, node: TestNode): Promise<void> {
  await store.nodes.renew(node.id, 1);
  await advance(5);
}

/** Ends a node for good, as a reaper does in its first statement. */
export async function removeNode({ store }: World, node: TestNode): Promise<void> {
  await store.nodes.remove(node.id);
}

export function idsOf(rows: readonly { readonly id: string }[]): string[] {
  return rows.map(({ id }) => id);
}

export function sorted(ids: readonly string[]): string[] {
  return [...ids].sort();
}

/** The rows, with the two columns that a database may write its own way as data. */
export function parsed<Row extends { readonly labels: string; readonly metadata?: string }>(
  row: Row,
): Omit<Row, "labels" | "metadata"> & { labels: unknown; metadata: unknown } {
  return { ...row, labels: JSON.parse(row.labels), metadata: JSON.parse(row.metadata ?? "{}") };
}
