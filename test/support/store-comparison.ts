import { expect } from "vitest";
import type { StoreOperation } from "./store-operations.ts";
import { createStoreOperator, type OperatedWorld } from "./store-operator.ts";

/** Two stores that are empty at first give the same answers and hold the same in the end. */
export async function expectAlike(
  worlds: { readonly expected: OperatedWorld; readonly actual: OperatedWorld },
  operations: readonly StoreOperation[],
): Promise<void> {
  const expected = await createStoreOperator(worlds.expected);
  const actual = await createStoreOperator(worlds.actual);
  for (const operation of operations) {
    const answer = await expected.apply(operation);
    expect(await actual.apply(operation), JSON.stringify(operation)).toEqual(answer);
  }
  expect(await actual.inspect()).toEqual(await expected.inspect());
}
