/** What must be said about one message: the id and the error's number, 0 for a result; null for silence. */
export type Verdict = { readonly id: unknown; readonly code: number } | null;

/** The rules read naively, written apart from the gateway, to compare it with. */
export function judge(text: string, known: ReadonlySet<string>): Verdict | readonly Verdict[] {
  if (depthOf(text) > 72) return { id: null, code: -32600 };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { id: null, code: -32700 };
  }
  if (!Array.isArray(value)) return judgeMessage(value, known);
  if (value.length === 0) return { id: null, code: -32600 };
  if (value.length > 100) return { id: null, code: -32010 };
  const verdicts = value.map((message) => judgeMessage(message, known));
  const said = verdicts.filter((verdict) => verdict !== null);
  return said.length === 0 ? null : said;
}

function judgeMessage(value: unknown, known: ReadonlySet<string>): Verdict {
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    return { id: null, code: -32600 };
  }
  const message = value as Record<string, unknown>;
  const has = (member: string) => Object.hasOwn(message, member);
  if (!has("method") && (has("result") || has("error"))) return null;
  // JSON.stringify writes -0 as 0, which is the same number.
  const given = message["id"] === 0 ? 0 : message["id"];
  const id = has("id") && isId(given) ? given : null;
  const isValid =
    (!has("id") || isId(message["id"])) &&
    message["jsonrpc"] === "2.0" &&
    typeof message["method"] === "string" &&
    (!has("params") || (typeof message["params"] === "object" && message["params"] !== null));
  if (!isValid) return { id, code: -32600 };
  if (!has("id")) return null;
  return { id, code: known.has(String(message["method"])) ? 0 : -32601 };
}

function isId(id: unknown): boolean {
  if (id === null) return true;
  if (typeof id === "string") return id.length <= 256 && !/\p{Surrogate}/u.test(id);
  if (typeof id !== "number" || !Number.isFinite(id)) return false;
  return !Number.isInteger(id) || Math.abs(id) <= Number.MAX_SAFE_INTEGER;
}

/** Strings are taken out first; what is left of an open one at the end holds no brackets. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const bracket of text.replace(/"(?:\\[\s\S]|[^"\\])*("|$)/g, "").match(/[[\]{}]/g) ?? []) {
    depth += bracket === "[" || bracket === "{" ? 1 : -1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}
