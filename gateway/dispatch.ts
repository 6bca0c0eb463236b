import { type JSONRPCRequest, JSONRPCServer } from "json-rpc-2.0";
import { isKantokuError } from "../sdk/errors.ts";
import type { Entropy } from "./entropy.ts";
import type { Log } from "./log.ts";
import type { Request } from "./wire/message.ts";
import { errorReply, type Reply, toErrorReply } from "./wire/reply.ts";

/** One row of a method table. `run` checks its own params and throws a KantokuError for bad ones. */
export interface Runnable<Context> {
  readonly name: string;
  run(params: unknown, context: Context): unknown;
}

/** Runs one valid request; a notification resolves to null. Never rejects. */
export type Dispatch<Context> = (request: Request, context: Context) => PromiseLike<Reply | null>;

export function createDispatch<Context>(
  methods: Iterable<Runnable<Context>>,
  { log, entropy }: { log: Log; entropy: Entropy },
): Dispatch<Context> {
  const server = new JSONRPCServer<Context>({
    errorListener: (message, failure) => {
      // What a caller is told of an internal error says nothing: it has to be said here.
      if (!isKantokuError(failure) || failure.code === "internal")
        logInternal(log, failure, { message, errorId: entropy.id() });
    },
  });
  for (const method of methods) {
    server.addMethod(method.name, (params, context) => method.run(params, context));
  }
  server.mapErrorToJSONRPCErrorResponse = (id, failure) => toErrorReply(id, failure) as never;
  server.handleMethodNotFound = async ({ id, method }) =>
    id === undefined ? null : (methodNotFound(id, method) as never);
  return (request, context) =>
    server.receive(request as JSONRPCRequest, context) as PromiseLike<Reply | null>;
}

function methodNotFound(id: string | number | null, method: string): Reply {
  const data = { method: method.slice(0, 200) };
  return errorReply(id, "method-not-found", { message: "Method not found", data });
}

function logInternal(
  log: Log,
  failure: unknown,
  { message, errorId }: { message: string; errorId: string },
): void {
  const text = [...causesOf(failure)].map(textOf).join("\ncaused by ");
  log.error("a handler failed", {
    errorId,
    call: message.slice(0, 300),
    failure: text.slice(0, 8192),
  });
}

function* causesOf(failure: unknown): Generator<unknown> {
  yield failure;
  if (failure instanceof Error && failure.cause != null) yield* causesOf(failure.cause);
}

function textOf(failure: unknown): string {
  return failure instanceof Error ? (failure.stack ?? failure.message) : String(failure);
}
