/** How long the JSON text of a value is at the least; counted no further than beyond `enough`. */
export function leastCharsOf(value: unknown, enough: number): number {
  if (typeof value === "string") return value.length + 2;
  if (typeof value !== "object" || value === null) return 1;
  const keys = Object.keys(value);
  if (keys.length === 0) return 2;
  // Two brackets, and a comma less than there are members.
  let chars = 1;
  for (const key of keys) {
    if (chars > enough) break;
    const member = (value as Readonly<Record<string, unknown>>)[key];
    chars += (Array.isArray(value) ? 1 : key.length + 4) + leastCharsOf(member, enough - chars);
  }
  return chars;
}
