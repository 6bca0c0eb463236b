/** How many items there are of each kind. */
export function countBy<Item>(
  items: readonly Item[],
  kindOf: (item: Item) => string,
): Readonly<Record<string, number>> {
  const groups = Map.groupBy(items, kindOf);
  return Object.fromEntries(Array.from(groups, ([kind, group]) => [kind, group.length]));
}
