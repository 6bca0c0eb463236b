import { versionOf } from "../graph/expand.ts";
import type { Renewal } from "../graph/renewal.ts";
import { isComposite, type Tree } from "../graph/tree.ts";
import type { TaskIdentity, TaskRow } from "../store/rows.ts";
import { compositeOf, toChildren } from "./children.ts";
import type { Child, GraphBirth } from "./messages.ts";
import { askedOf } from "./policy.ts";

export interface RenewOptions {
  readonly tree: Tree;
  readonly renewal: Renewal;
  readonly mintId: () => string;
  readonly now: number;
}

/**
 * The parts of a composite that is opened in a new tree. What is reused ends in the commit that
 * makes it, and by that releases what waits for it: the gates need to know nothing of reuse.
 */
export function renewedParts(
  old: TaskRow,
  identity: TaskIdentity,
  options: RenewOptions,
): GraphBirth {
  const { tree, mintId } = options;
  const parts = tree.childrenOf(old);
  const ids = new Map(parts.map(({ id }) => [id, mintId()]));
  const newIdsOf = (rows: readonly TaskRow[]) => rows.flatMap(({ id }) => ids.get(id) ?? []);
  return {
    composite: compositeOf(old.place?.kind),
    isBlocked: false,
    dependsOn: newIdsOf(tree.awaitedBy(old)),
    children: parts.flatMap((part) => {
      const own = renewedIdentity(part, { id: ids.get(part.id) ?? "", parent: identity }, options);
      return renewedPart(part, { own, dependsOn: newIdsOf(tree.dependenciesOf(part)) }, options);
    }),
  };
}

function renewedPart(
  part: TaskRow,
  { own, dependsOn }: { own: TaskIdentity; dependsOn: readonly string[] },
  options: RenewOptions,
): Child[] {
  const { tree, renewal } = options;
  const { whole, opened } = renewal;
  const vertex = tree.vertexOf(part);
  // What was skipped is decided upon again, by what is as it was: no event carries a skip over.
  if (vertex !== null && (whole.has(part) || part.status === "skipped")) {
    const isBlocked = tree.wasBornBlocked(part);
    const input = isBlocked ? JSON.stringify(vertex.input ?? null) : part.input;
    // A worker's task had its version from the worker that did it.
    const version = isComposite(part) ? part.version : versionOf(vertex);
    return toChildren([{ identity: { ...own, input }, vertex, version, dependsOn, isBlocked }]);
  }
  const { version } = part;
  const submit = { type: "submit", version, startAt: null, asked: null, caller: null } as const;
  if (opened.has(part)) {
    const birth = renewedParts(part, own, options);
    const all = [...dependsOn, ...birth.dependsOn];
    const asked = vertex !== null && "definition" in vertex ? askedOf(vertex) : null;
    return [{ identity: own, submit: { ...submit, asked, birth: { ...birth, dependsOn: all } } }];
  }
  const reused = { of: part.id, output: part.output ?? "null" };
  const composite = compositeOf(part.place?.kind);
  const birth = { composite, isBlocked: false, dependsOn: [], children: [], reused };
  return [{ identity: own, submit: { ...submit, birth } }];
}

/** The same task in another tree. */
export function renewedIdentity(
  { namespace, definition, priority, input, labels, metadata, trace, place }: TaskRow,
  { id, parent }: { id: string; parent: TaskIdentity | null },
  { now }: Pick<RenewOptions, "now">,
): TaskIdentity {
  return {
    id,
    namespace,
    definition,
    key: null,
    priority,
    input,
    labels,
    metadata,
    root: parent?.root ?? id,
    parent: parent?.id ?? null,
    trace,
    createdAt: now,
    ...(place === undefined ? {} : { place }),
  };
}
