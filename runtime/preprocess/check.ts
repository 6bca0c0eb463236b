import type { Identifier } from "acorn";
import { analyze } from "eslint-scope";
import { absences, guestGlobals } from "./globals.ts";
import type { AnyNode, Parsed } from "./parse.ts";
import { problemAt } from "./problems.ts";
import type { Problem } from "./types.ts";

const synchronous = "a preprocessor is synchronous: async functions cannot run in it";

/** What the root may not be. */
const rootFaults: readonly [test: (root: AnyNode) => boolean, message: string][] = [
  [({ type }) => type === "ClassExpression", "a class is not a preprocessor; write a function"],
  [({ type }) => !/Function/.test(type), "a preprocessor is one function: (input) => output"],
  [(root) => root["generator"] === true, "a generator is not a preprocessor; return the output"],
];

/** What may stand nowhere in a source. */
const nodeFaults: Readonly<Record<string, (node: AnyNode) => string | null>> = {
  ImportExpression: () => "a preprocessor cannot import; do that in a task",
  MetaProperty: (node) =>
    (node["meta"] as Identifier).name === "import" ? "a preprocessor has no import.meta" : null,
  FunctionExpression: asyncFault,
  FunctionDeclaration: asyncFault,
  ArrowFunctionExpression: asyncFault,
  MemberExpression: (node) => {
    const object = node["object"] as AnyNode;
    const property = node["property"] as AnyNode;
    const isRandom = property["name"] === "random" || property["value"] === "random";
    return object["name"] === "Math" && isRandom
      ? `Math.random is not available: ${absences.get("Math.random")}`
      : null;
  },
};

/** What the root's surroundings would give it, and it travels without. */
const ownFaults: Readonly<Record<string, string>> = {
  ThisExpression: "this is undefined in a preprocessor; use its parameters",
  Super: "super is not there: a preprocessor travels without its object",
};

/** All that is wrong with a parsed source, in its order; `ignored` are identifiers that will go. */
export function findProblems(parsed: Parsed, ignored: ReadonlySet<AnyNode>): Problem[] {
  const { root } = parsed;
  const found = rootFaults.find(([test]) => test(root));
  if (found !== undefined) return [problemOf(found[1], root)];
  const problems = freeVariables(parsed)
    // A method's computed name is not taken along.
    .filter(({ start, end }) => start >= root.start && end <= root.end)
    .filter((identifier) => !ignored.has(identifier))
    .map((identifier) => problemOf(absenceOf(identifier["name"] as string), identifier));
  walk(root, (node) => {
    const message = nodeFaults[node.type]?.(node);
    if (typeof message === "string") problems.push(problemOf(message, node));
  });
  walkOwn(root, (node) => {
    const message = ownFaults[node.type];
    if (message !== undefined) problems.push(problemOf(message, node));
  });
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

/** Identifiers that the source does not declare and the sandbox does not have. */
export function freeVariables({ program }: Parsed): AnyNode[] {
  const scopes = analyze(program as never, { ecmaVersion: 2025, sourceType: "script" });
  const global = scopes.globalScope;
  const wrapper = global?.childScopes[0];
  const own = (wrapper?.variables ?? []).flatMap(({ references }) => references);
  return [...(global?.through ?? []), ...own]
    .map(({ identifier }) => identifier as unknown as AnyNode)
    .filter((identifier) => !guestGlobals.has(identifier["name"] as string));
}

export function walk(node: AnyNode, visit: (node: AnyNode, parent: AnyNode | null) => void): void {
  const pending: [AnyNode, AnyNode | null][] = [[node, null]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [current, parent] = next;
    visit(current, parent);
    for (const child of childrenOf(current)) pending.push([child, current]);
  }
}

/** Visits what has the root's own `this`: arrows pass it on, functions and classes do not. */
function walkOwn(root: AnyNode, visit: (node: AnyNode) => void): void {
  const pending = [...childrenOf(root)];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    visit(node);
    if (/^Function/.test(node.type)) continue;
    pending.push(...(/^Class/.test(node.type) ? outsideOf(node) : childrenOf(node)));
  }
}

/** What of a class is evaluated around it: what it extends, and the names that are computed. */
function outsideOf(node: AnyNode): AnyNode[] {
  const { body: members } = node["body"] as unknown as { body: AnyNode[] };
  const computed = members.filter((member) => member["computed"] === true);
  return [node["superClass"], ...computed.map((member) => member["key"])].filter(isNode);
}

function childrenOf(node: AnyNode): AnyNode[] {
  return Object.values(node).flat().filter(isNode);
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}

function asyncFault(node: AnyNode): string | null {
  return node["async"] === true ? synchronous : null;
}

function absenceOf(name: string): string {
  const absence = absences.get(name);
  if (absence !== undefined) return `${name} is not available: ${absence}`;
  if (name.startsWith("cov_")) {
    return `${name} belongs to the coverage tool (istanbul), in a form that cannot be taken out`;
  }
  if (/^__|^_[a-z]+Helper/.test(name)) {
    return `${name} belongs to the compiler, not to the function; compile for es2022 or later`;
  }
  return `${name} is declared outside of the function, where a preprocessor cannot reach; pass it in as data`;
}

function problemOf(message: string, node: AnyNode): Problem {
  return problemAt(message, node.loc?.start ?? { line: 2, column: 0 });
}
