import { walk } from "./check.ts";
import { type AnyNode, type Parsed, tokensOf } from "./parse.ts";

const nameCharsMax = 2;
const plainName = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;
/** The characters around a blank that esbuild leaves where it minifies. */
const keptApart = /^(?:[\p{ID_Continue}$/][\p{ID_Continue}$\\#]|\+\+|-[->]|!-|\/\/|\d\.)$/u;

/**
 * How surely a call stands where keepNames writes one. A `likely` one could be the author's own; a
 * `possible` one could as well, and is keepNames' only where the same helper is also called surely.
 */
type Place = "sure" | "likely" | "possible" | null;

/** `helper(function, "its name")`, which gives the function back: esbuild's keepNames. */
export function isNameCall(node: AnyNode, free: ReadonlySet<AnyNode>): boolean {
  if (node.type !== "CallExpression" || !free.has(node["callee"] as AnyNode)) return false;
  const [named, name, ...more] = node["arguments"] as (AnyNode | undefined)[];
  if (named === undefined || more.length > 0 || typeof name?.["value"] !== "string") return false;
  if (isBare(named)) return !free.has(named);
  return /^(Function|ArrowFunction|Class)Expression$/.test(named.type);
}

/** A name, or the `this` of a class's static block. */
export function isBare({ type }: AnyNode): boolean {
  return type === "Identifier" || type === "ThisExpression";
}

/**
 * The helper whose own name was minified away, if it is the one of keepNames, and not a function of
 * the author's that is called the same way: taking that out would change what the source does. A
 * bundle has one helper, so that of several candidates none is looked at.
 */
export function minifiedHelper(
  parsed: Parsed,
  {
    nameCalls,
    free,
  }: {
    readonly nameCalls: ReadonlyMap<string, readonly AnyNode[]>;
    readonly free: ReadonlySet<AnyNode>;
  },
): string | null {
  const short = [...nameCalls].filter(([name]) => name.length <= nameCharsMax);
  const [candidate] = short;
  if (candidate === undefined || short.length > 1) return null;
  const [name, calls] = candidate;
  const uses = [...free].filter((identifier) => identifier["name"] === name);
  const isHelper = uses.length === calls.length && isMinified(parsed) && isKept(parsed, calls);
  return isHelper ? name : null;
}

/** Whether these calls are what keepNames writes, all of it and no other. */
function isKept(parsed: Parsed, calls: readonly AnyNode[]): boolean {
  const parents = new Map<AnyNode, AnyNode | null>();
  walk(parsed.root, (node, parent) => parents.set(node, parent));
  const nodes = [...parents.keys()];
  if (!namesAll(nodes, calls)) return false;
  const declared = new Set(nodes.map(declaredFunction));
  const places = calls.map((call) => placeOf(call, { parents, declared }));
  return places.every((place) => (place === "possible" ? places.includes("sure") : place !== null));
}

function isMinified(parsed: Parsed): boolean {
  const { text, root } = parsed;
  const tokens = tokensOf(parsed).filter(
    ({ start, end }) => start >= root.start && end <= root.end,
  );
  return tokens.every(({ start }, index) => {
    const from = tokens[index - 1]?.end ?? start;
    const gap = text.slice(from, start);
    return gap === "" || (gap === " " && keptApart.test(`${text[from - 1]}${text[start]}`));
  });
}

/** keepNames passes by no function that is declared, and no arrow that a variable begins with. */
function namesAll(nodes: readonly AnyNode[], calls: readonly AnyNode[]): boolean {
  const named = new Set(calls.map((call) => argumentsOf(call).named["name"]));
  return nodes.every((node) => {
    if (node.type === "FunctionDeclaration") return named.has((node["id"] as AnyNode)["name"]);
    if (node.type !== "VariableDeclarator") return true;
    return (node["init"] as AnyNode | null)?.type !== "ArrowFunctionExpression";
  });
}

function placeOf(
  call: AnyNode,
  around: {
    readonly parents: ReadonlyMap<AnyNode, AnyNode | null>;
    readonly declared: ReadonlySet<unknown>;
  },
): Place {
  const { named, name } = argumentsOf(call);
  const parent = around.parents.get(call) ?? null;
  if (parent === null) return null;
  if (named.type === "ThisExpression") {
    return around.parents.get(parent)?.type === "StaticBlock" ? "sure" : null;
  }
  if (named.type === "Identifier") {
    return around.declared.has(named["name"]) && isDropped(call, parent) ? "sure" : null;
  }
  if (parent["value"] === call && parent["computed"] === false) {
    return keyed(parent["key"] as AnyNode, name) ? "sure" : "possible";
  }
  if (!plainName.test(name)) return null;
  const target = targetOf(parent, call);
  return target?.type === "Identifier" || parent["callee"] === call ? "likely" : "possible";
}

function argumentsOf(call: AnyNode): { named: AnyNode; name: string } {
  const [named, name] = call["arguments"] as [AnyNode, AnyNode];
  return { named, name: name["value"] as string };
}

function declaredFunction(node: AnyNode): unknown {
  const isFunction =
    node.type === "FunctionDeclaration" ||
    (node["init"] as AnyNode | null | undefined)?.type === "FunctionExpression";
  return isFunction ? (node["id"] as AnyNode)["name"] : undefined;
}

/** Whether nothing takes what the call returns: a statement, or one that minifying made a part. */
function isDropped(call: AnyNode, parent: AnyNode): boolean {
  if (parent.type === "ExpressionStatement") return true;
  return (
    parent.type === "SequenceExpression" && (parent["expressions"] as AnyNode[]).at(-1) !== call
  );
}

/** A private name is minified, and keeps only its sign. */
function keyed(key: AnyNode, name: string): boolean {
  if (key.type === "PrivateIdentifier") return name.startsWith("#");
  return (key["name"] ?? key["value"]) === name;
}

/** What the call's value goes to: a variable, or a parameter or member of a pattern. */
function targetOf(parent: AnyNode, call: AnyNode): AnyNode | undefined {
  if (parent["init"] === call) return parent["id"] as AnyNode | undefined;
  return parent["right"] === call ? (parent["left"] as AnyNode) : undefined;
}
