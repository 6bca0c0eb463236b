import { freeVariables, walk } from "./check.ts";
import { isBare, isNameCall, minifiedHelper } from "./keep-names.ts";
import type { AnyNode, Parsed } from "./parse.ts";

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** What compilers and coverage tools wrote into a function, and how it is taken out again. */
interface CompilerMarks {
  readonly edits: readonly Edit[];
  /** The identifiers that go with them. */
  readonly identifiers: ReadonlySet<AnyNode>;
}

// istanbul counts with `cov_1x2y3z().s[0]++`.
const coverageCounter = /^cov_[0-9a-z]+$/;

export function findCompilerMarks(parsed: Parsed): CompilerMarks {
  const edits: Edit[] = [];
  const identifiers = new Set<AnyNode>();
  const free = new Set(freeVariables(parsed));
  const nameCalls = new Map<string, AnyNode[]>();
  walk(parsed.root, (node) => {
    const counter = node.type === "UpdateExpression" ? counterOf(node) : null;
    if (counter !== null && free.has(counter)) {
      edits.push({ start: node.start, end: node.end, text: "0" });
      identifiers.add(counter);
    }
    if (isNameCall(node, free)) {
      const name = (node["callee"] as AnyNode)["name"] as string;
      nameCalls.set(name, [...(nameCalls.get(name) ?? []), node]);
    }
  });
  const minified = minifiedHelper(parsed, { nameCalls, free });
  for (const name of ["__name", minified]) {
    for (const call of nameCalls.get(name ?? "") ?? []) {
      identifiers.add(call["callee"] as AnyNode);
      edits.push(...unwrapped(call));
    }
  }
  return { edits, identifiers };
}

/** `text` with the edits that lie in `[start, end)` made, every line left where it was. */
export function applyEdits(
  text: string,
  { edits, start, end }: { edits: readonly Edit[]; start: number; end: number },
): string {
  let edited = "";
  let at = start;
  for (const edit of edits.toSorted((a, b) => a.start - b.start)) {
    const rest = text.slice(edit.start, edit.end).slice(edit.text.length);
    edited += text.slice(at, edit.start) + edit.text + rest.replaceAll(/[^\n\r\u2028\u2029]/g, " ");
    at = edit.end;
  }
  return edited + text.slice(at, end);
}

function counterOf(update: AnyNode): AnyNode | null {
  let node = update["argument"] as AnyNode;
  while (node.type === "MemberExpression") node = node["object"] as AnyNode;
  if (node.type !== "CallExpression" || (node["arguments"] as unknown[]).length > 0) return null;
  const callee = node["callee"] as AnyNode;
  return coverageCounter.test(String(callee["name"])) ? callee : null;
}

function unwrapped(call: AnyNode): Edit[] {
  const named = (call["arguments"] as AnyNode[])[0] ?? call;
  // A bare name needs no brackets, and on a line of its own they would call what stands above.
  const [open, close] = isBare(named) ? ["", ""] : ["(", ")"];
  return [
    { start: call.start, end: named.start, text: open },
    { start: named.end, end: call.end, text: close },
  ];
}
