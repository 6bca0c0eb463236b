/** The same things, each behind those that come before it, else in the order given. */
export function dependenciesFirst<Thing extends { readonly id: string }>(
  things: readonly Thing[],
  before: ReadonlyMap<string, readonly string[]>,
): readonly Thing[] {
  const byId = new Map(things.map((thing) => [thing.id, thing]));
  const ordered = new Set<Thing>();
  const entered = new Set<Thing>();
  // By hand and not by recursion: a chain may be ten thousand long.
  const open = things.toReversed();
  while (open.length > 0) {
    const thing = open.at(-1) as Thing;
    const isReturned = entered.has(thing);
    entered.add(thing);
    const waited = isReturned
      ? []
      : (before.get(thing.id) ?? [])
          .map((id) => byId.get(id))
          .filter((it) => it !== undefined && !entered.has(it));
    if (waited.length === 0) {
      open.pop();
      ordered.add(thing);
    } else open.push(...(waited.toReversed() as Thing[]));
  }
  return [...ordered];
}
