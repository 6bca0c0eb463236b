// Writing tasks.

export type {
  ChildHandle,
  ChildOptions,
  LogLevel,
  LogLine,
  LogSink,
  TaskContext,
  TaskLog,
} from "./context.ts";
export {
  type AnyDefinition,
  type InputOf,
  type OutputOf,
  type TaskDefinition,
  type TaskOptions,
  task,
} from "./definition.ts";
export type { RetryOptions } from "./retry.ts";
export { type Schema, type SchemaIssue, SchemaMismatch } from "./schema.ts";
export type { Duration } from "./values/duration.ts";

// Composing them.

export type { AnyCall, Call, CallData, CallOptions } from "./call.ts";
export { all } from "./graph/all.ts";
export { type EachOptions, each } from "./graph/each.ts";
export { encodeGraph } from "./graph/encode.ts";
export { pictureOf } from "./graph/picture.ts";
export {
  type AnyPipeline,
  type PipelineDefinition,
  type PipelineOptions,
  pipeline,
} from "./graph/pipeline.ts";
export type { Composed, Pending, Reference, ReferredBy } from "./graph/reference.ts";
export { type TreeLine, toMermaid, toTreeLines } from "./graph/render.ts";
export { fromStages, hasStages, type StagePipeline } from "./stages/from-stages.ts";

// Running and serving them.

export { type ConnectOptions, connect } from "./client/connect.ts";
export type { EventsOptions } from "./client/events.ts";
export type { TaskHandle } from "./client/handle.ts";
export { type ClientOptions, createClient, type Kantoku } from "./client/kantoku.ts";
export type { RunOptions, SubmitOptions, WaitOptions } from "./client/submission.ts";
export { type ServeOptions, serve, type WorkerHandle, type WorkOptions } from "./worker/serve.ts";

// The words of the protocol.

export { isKantokuError, KantokuError, TerminalError } from "./errors.ts";
export { type ErrorCode, errorCodes } from "./protocol/error-code.ts";
export type * from "./protocol/graph.ts";
export { limits } from "./protocol/limits.ts";
export type * from "./protocol/service.ts";
export * from "./protocol/task.ts";
