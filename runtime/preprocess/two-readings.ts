import { getLineInfo } from "acorn";
import type { Parsed } from "./parse.ts";
import { problemAt, SourceError } from "./problems.ts";
import { stripTypes } from "./strip-types.ts";
import type { Problem } from "./types.ts";

/** What may end a list of type arguments; where there is none, types need not be looked for. */
const closing = /[^=]>(?:\s*[(`/]|[^\S\r\n\u2028\u2029]*[\r\n\u2028\u2029])/;

const twoReadings =
  "JavaScript reads comparisons here, and TypeScript type arguments; leave these out, or put brackets around a comparison";

/**
 * Where a source that stands as JavaScript is another program as TypeScript, as `f<Object>(x)` is. A
 * graph does not tell which of the two it holds: what somebody wrote, or the text of a function that
 * runs as JavaScript, where no types are left but `f(a<b,c>(d))` may be.
 */
export function findTwoReadings({ text }: Parsed): Problem | null {
  const opening = text.indexOf("<");
  if (opening === -1 || !closing.test(text.slice(opening))) return null;
  const stripped = strippedOr(text);
  let at = 0;
  while (at < text.length && text[at] === stripped[at]) at += 1;
  return at === text.length ? null : problemAt(twoReadings, getLineInfo(text, at));
}

/** What TypeScript refuses has one reading. */
function strippedOr(text: string): string {
  try {
    return stripTypes(text);
  } catch (error) {
    if (error instanceof SourceError) return text;
    throw error;
  }
}
