import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import type { TaskError } from "./protocol/task.ts";

/** Any Standard Schema: zod, valibot, arktype and others. */
export type Schema = StandardSchemaV1;
/** What a schema takes, before it transforms. */
export type Taken<S extends Schema> = StandardSchemaV1.InferInput<S>;
/** What a schema gives, after it transformed. */
export type Given<S extends Schema> = StandardSchemaV1.InferOutput<S>;

const issuesMax = 20;
const issueTextCharsMax = 200;

/** A value that its schema refuses: no further attempt can help. */
export class SchemaMismatch extends Error {
  readonly code: "invalid-input" | "invalid-output";
  readonly retryable = false;
  readonly issues: readonly SchemaIssue[];

  /** `of` names what the value was meant for, where its reader could not tell. */
  constructor(
    code: SchemaMismatch["code"],
    issues: readonly StandardSchemaV1.Issue[],
    of?: string,
  ) {
    const listed = issues.slice(0, issuesMax).map(toIssue);
    const faults = listed.map(({ path, message }) => `${path || "value"}: ${message}`).join("; ");
    super(`${code}${of === undefined ? "" : ` of ${of}`}: ${faults}`);
    this.name = "SchemaMismatch";
    this.code = code;
    this.issues = listed;
  }
}

export interface SchemaIssue {
  /** Keys from the root, joined by dots; empty for the value itself. */
  readonly path: string;
  readonly message: string;
}

/** A JSON Schema, for one, is none that could be asked. */
export function faultOfSchemas(schemas: {
  readonly input?: Schema | undefined;
  readonly output?: Schema | undefined;
}): string | undefined {
  for (const place of ["input", "output"] as const) {
    const schema = schemas[place];
    if (schema === undefined || typeof schema["~standard"]?.validate === "function") continue;
    return `its ${place} is not described by a Standard Schema, as zod, valibot and arktype have them`;
  }
  return undefined;
}

/** The schema's output, at once where the schema is synchronous; throws or rejects with SchemaMismatch. */
export function parseWith<S extends Schema>(
  schema: S,
  value: unknown,
  code: SchemaMismatch["code"],
  of?: string,
): Given<S> | Promise<Given<S>> {
  const result = schema["~standard"].validate(value);
  return result instanceof Promise
    ? result.then((settled) => accept(settled, code, of))
    : accept(result, code, of);
}

/** The JSON Schema of what a schema takes, where its library can write one. */
export function toJsonSchema(schema: Schema): unknown {
  const standard: Partial<StandardJSONSchemaV1.Props> = schema["~standard"];
  try {
    return standard.jsonSchema?.input({ target: "draft-2020-12" });
  } catch {
    // Libraries throw for what JSON Schema cannot say (transforms, dates): readers go without.
    return undefined;
  }
}

/** A mismatch as stored: its issues as data. */
export function withIssues(error: TaskError, thrown: unknown): TaskError {
  return thrown instanceof SchemaMismatch ? { ...error, data: { issues: thrown.issues } } : error;
}

function accept<Output>(
  result: StandardSchemaV1.Result<Output>,
  code: SchemaMismatch["code"],
  of: string | undefined,
): Output {
  if (result.issues) throw new SchemaMismatch(code, result.issues, of);
  return result.value;
}

function toIssue(issue: StandardSchemaV1.Issue): SchemaIssue {
  const keys = (issue.path ?? []).map((segment) =>
    String(typeof segment === "object" ? segment.key : segment),
  );
  return { path: clip(keys.join(".")), message: clip(issue.message) };
}

function clip(text: string): string {
  return text.slice(0, issueTextCharsMax).toWellFormed().replaceAll("\0", "\ufffd");
}
