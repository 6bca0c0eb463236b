// Writing tasks.
export type { AnyCall, Call, CallData, CallOptions } from "./call.ts";
export { type ConnectOptions, connect } from "./client/connect.ts";
export type { EventsOptions } from "./client/events.ts";
export type { TaskHandle } from "./client/handle.ts";
// Running them.
export { type ClientOptions, createClient, type Kantoku } from "./client/kantoku.ts";
export type { RunOptions, SubmitOptions, WaitOptions } from "./client/submission.ts";
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
// The protocol's words.
export { isKantokuError, KantokuError, TerminalError } from "./errors.ts";
// Composing them.
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
export { type ErrorCode, errorCodes } from "./protocol/error-code.ts";
export type * from "./protocol/graph.ts";
export { limits } from "./protocol/limits.ts";
export type * from "./protocol/service.ts";
export * from "./protocol/task.ts";
export type { RetryOptions } from "./retry.ts";
export { type Schema, type SchemaIssue, SchemaMismatch } from "./schema.ts";
// Pipelines as stages and jobs.
export { fromStages, hasStages, type StagePipeline } from "./stages/from-stages.ts";
export type { Duration } from "./values/duration.ts";
// Serving them.
export { type ServeOptions, serve, type WorkerHandle, type WorkOptions } from "./worker/serve.ts";
