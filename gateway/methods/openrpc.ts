import { z } from "zod";
import { type ErrorCode, errorCodes } from "../../sdk/protocol/error-code.ts";
import { graphSchemas } from "./graph-schema.ts";
import type { Method } from "./method.ts";
import { notificationParams } from "./notifications.ts";

/** Any call may get these, whatever the method. */
const commonErrors = [
  "invalid-params",
  "internal",
  "busy",
  "response-too-large",
  "shutting-down",
  "deadline-exceeded",
] as const satisfies readonly ErrorCode[];

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** The OpenRPC description of a method table. */
export function toOpenRpc(methods: readonly Method[]): Readonly<Record<string, unknown>> {
  const shared = new Map<string, JsonSchema>();
  return {
    openrpc: "1.3.2",
    info: { title: "kantoku", version: "1", description: "JSON-RPC 2.0 at /rpc, see PROTOCOL.md" },
    methods: methods.map((method) => describeMethod(method, shared)),
    "x-notifications": Object.entries(notificationParams).map(([name, params]) => ({
      name,
      params: toJsonSchema(params, shared),
    })),
    components: { schemas: { ...Object.fromEntries(shared), ...relocate(graphSchemas) } },
  };
}

function describeMethod(
  { name, summary, params, result, errors }: Method,
  shared: Map<string, JsonSchema>,
): object {
  const schema = toJsonSchema(params, shared);
  const required = new Set(schema.required ?? []);
  const properties = Object.entries(schema.properties ?? {});
  const codes = [...new Set<ErrorCode>([...errors, ...commonErrors])];
  return {
    name,
    summary,
    paramStructure: "by-name",
    params: properties.map(([name, schema]) => ({ name, required: required.has(name), schema })),
    result: { name: "result", schema: toJsonSchema(result, shared) },
    errors: codes.map((code) => ({
      code: errorCodes[code].number,
      message: code,
      data: { code, retryable: errorCodes[code].retryable },
    })),
  };
}

/** zod keeps what several schemas share beside each of them; one document keeps it in one place. */
function toJsonSchema(schema: z.ZodType, shared: Map<string, JsonSchema>): JsonSchema {
  const { $schema: _, ...alone } = z.toJSONSchema(schema, {
    target: "draft-7",
    io: "input",
    unrepresentable: "any",
  });
  const { definitions = {}, ...described } = relocate(alone) as JsonSchema & {
    definitions?: Record<string, JsonSchema>;
  };
  for (const [id, definition] of Object.entries(definitions)) shared.set(id, definition);
  return described;
}

/** Points references to where this document keeps what is shared. */
function relocate<Schemas extends object>(schemas: Schemas): Schemas {
  const text = JSON.stringify(schemas);
  return JSON.parse(
    text.replaceAll(/"#\/(definitions|\$defs)\//g, '"#/components/schemas/'),
  ) as Schemas;
}
