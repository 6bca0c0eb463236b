/** Cycles that have no name in common: as many as have to be opened, at least. */
export function cyclesIn(
  dependencies: ReadonlyMap<string, ReadonlySet<string>>,
): readonly (readonly string[])[] {
  const cycles: (readonly string[])[] = [];
  const rest = new Map(dependencies);
  for (let cycle = cycleIn(rest); cycle !== null; cycle = cycleIn(rest)) {
    cycles.push(cycle);
    for (const name of cycle) rest.delete(name);
  }
  return cycles;
}

/** A cycle among these, as the names along it, the first one repeated at the end; null: none. */
export function cycleIn(
  dependencies: ReadonlyMap<string, ReadonlySet<string>>,
): readonly string[] | null {
  const done = new Set<string>();
  for (const start of dependencies.keys()) {
    const cycle = walk(start, dependencies, done);
    if (cycle !== null) return cycle;
  }
  return null;
}

/** In depth, without recursion: a chain may be as long as a graph. */
function walk(
  start: string,
  dependencies: ReadonlyMap<string, ReadonlySet<string>>,
  done: Set<string>,
): readonly string[] | null {
  if (done.has(start)) return null;
  const path = new Map<string, Iterator<string>>();
  path.set(start, [...(dependencies.get(start) ?? [])].values());
  const stack: string[] = [];
  for (let name: string | undefined = start; name !== undefined; ) {
    const next = path.get(name)?.next();
    if (next === undefined || next.done) {
      done.add(name);
      path.delete(name);
      name = stack.pop();
      continue;
    }
    if (path.has(next.value)) {
      const names = [...path.keys()];
      return [...names.slice(names.indexOf(next.value)), next.value];
    }
    if (done.has(next.value)) continue;
    stack.push(name);
    name = next.value;
    path.set(name, [...(dependencies.get(name) ?? [])].values());
  }
  return null;
}
