export const schemaDefault = "kantoku";

/** So narrow that the name needs no quotes anywhere, and is a channel's name too. */
const namePattern = /^[a-z_][a-z0-9_]{0,47}$/;

const cached = new Map<string, Map<string, string>>();

export function assertSchemaName(schema: string): void {
  if (namePattern.test(schema)) return;
  throw new RangeError(`the schema's name must match ${namePattern.source}, not "${schema}"`);
}

/** Statements are written for the schema `kantoku`; here they are read for another. */
export function inSchema(text: string, schema: string): string {
  if (schema === schemaDefault) return text;
  const texts = cached.get(schema) ?? new Map<string, string>();
  cached.set(schema, texts);
  const known = texts.get(text);
  if (known !== undefined) return known;
  const renamed = text.replaceAll("kantoku.", `${schema}.`);
  texts.set(text, renamed);
  return renamed;
}
