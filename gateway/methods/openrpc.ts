import { z } from "zod";
import { type ErrorCode, errorCodes } from "../../sdk/protocol/error-code.ts";
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
    components: { schemas: Object.fromEntries(shared) },
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
  const text = JSON.stringify(alone).replaceAll("#/definitions/", "#/components/schemas/");
  const { definitions = {}, ...described } = JSON.parse(text) as JsonSchema & {
    definitions?: Record<string, JsonSchema>;
  };
  for (const [id, definition] of Object.entries(definitions)) shared.set(id, definition);
  return described;
}
