import type { AnyCall, CallData } from "../call.ts";
import { KantokuError } from "../errors.ts";
import type { Graph, GraphTask, Ref } from "../protocol/graph.ts";
import { type Discovery, discover } from "./discover.ts";
import type { Frame } from "./frame.ts";
import { nameCalls } from "./names.ts";
import type { AnyPipeline } from "./pipeline.ts";
import type { PlainInput } from "./plain-input.ts";
import { toPointer } from "./pointer.ts";
import { holdsReference, type Opened } from "./references.ts";
import type { Scope } from "./scope.ts";
import { SourceWriter } from "./sources.ts";
import { traitsOf } from "./traits.ts";
import { optionsOf } from "./vertex-options.ts";

/** What has to be sent for a call. */
interface Composition {
  /** Null where the call depends on nothing: then it is a task by itself. */
  readonly graph: Graph | null;
  /** The pipelines that it uses, each after those that it uses itself. */
  readonly pipelines: readonly AnyPipeline[];
  /** What pipelines are given as it stands, here and in the bodies of these. */
  readonly inputs: readonly PlainInput[];
}

const alone: Composition = { graph: null, pipelines: [], inputs: [] };

/** @throws KantokuError `invalid-definition` with all `problems` in its data */
export function compositionOf(call: CallData): Composition {
  const { after, when, onFailure, each, isValue, pipeline, scope } = traitsOf(call);
  const isComposed = after ?? when ?? onFailure ?? each ?? isValue ?? scope;
  if (isComposed === undefined && !holdsReference(call.input)) {
    return pipeline === undefined ? alone : ofPipeline(pipeline, call.input);
  }
  const { graph, pipelines, inputs } = composeWithin(call as AnyCall, undefined);
  return { graph, pipelines, inputs: [...inputs, ...givenIn(pipelines)] };
}

/** Null where nothing is composed. @throws KantokuError `invalid-definition` */
export function encodeGraph(call: CallData): Graph | null {
  return compositionOf(call).graph;
}

/** The graph of a result, even of a single task. @throws KantokuError `invalid-definition` */
export function composeWithin(
  result: AnyCall,
  scope: Scope | undefined,
): Composition & { readonly graph: Graph } {
  const discovery = discover(result, scope);
  const { frame, problems, pipelines, inputs } = discovery;
  const graph = problems.length > 0 ? null : encodeFrame({ frame, result, problems }).graph;
  if (graph === null || problems.length > 0) throw refused(scope, problems);
  return { graph, pipelines: [...pipelines], inputs };
}

interface Part {
  readonly frame: Frame;
  readonly result: AnyCall;
  readonly problems: Discovery["problems"];
  readonly outer?: SourceWriter;
}

function encodeFrame({ frame, result, problems, outer }: Part): {
  graph: Graph;
  writer: SourceWriter;
} {
  const names = nameCalls(frame, problems);
  const writer = new SourceWriter(frame, names, outer);
  const tasks = Array.from(frame.calls, ([call, opened]): [string, GraphTask] => {
    const inner = frame.inner.get(call);
    const vertex =
      inner === undefined
        ? encodeTask(call, opened, writer)
        : encodeEach(call, opened, { frame: inner, problems, outer: writer });
    return [writer.nameOf(call), vertex];
  });
  return { graph: { tasks: Object.fromEntries(tasks), result: writer.nameOf(result) }, writer };
}

function encodeTask(call: AnyCall, opened: Opened, writer: SourceWriter): GraphTask {
  const { definition, version } = call;
  return {
    ...(traitsOf(call).isValue ? { value: true } : { definition }),
    ...(version !== undefined && { version }),
    ...encodeInput(opened, writer),
    ...encodeOrder(call, writer),
    ...optionsOf(call),
  };
}

function encodeEach(
  call: AnyCall,
  opened: Opened,
  { frame, problems, outer }: Omit<Part, "result"> & { outer: SourceWriter },
): GraphTask {
  const { each } = traitsOf(call);
  if (each === undefined) return encodeTask(call, opened, outer);
  const { graph, writer } = encodeFrame({ frame, result: each.result, problems, outer });
  const { input, refs = [] } = encodeInput(opened, outer);
  const given = writer.given.map(({ name, source }) => ({
    at: toPointer(["given", name]),
    ...source,
  }));
  const places = Object.fromEntries(writer.given.map(({ name }) => [name, null]));
  const all = [...refs, ...given];
  return {
    each: graph,
    ...(each.limit !== undefined && { limit: each.limit }),
    input: given.length === 0 ? input : { ...(input as object), given: places },
    ...(all.length > 0 && { refs: all }),
    ...encodeOrder(call, outer, writer.startsAfter),
    ...optionsOf(call),
  };
}

function encodeInput(
  { data, references }: Opened,
  writer: SourceWriter,
): { input?: unknown; refs?: readonly Ref[] } {
  const refs = references.map(({ at, from }): Ref => ({ at, ...writer.write(from) }));
  const isWhole = refs[0]?.at === "";
  return {
    ...(data !== undefined && !isWhole && { input: data }),
    ...(refs.length > 0 && { refs }),
  };
}

function encodeOrder(
  call: AnyCall,
  writer: SourceWriter,
  more: readonly string[] = [],
): Pick<GraphTask, "after" | "when" | "onFailure"> {
  const { after = [], when, onFailure } = traitsOf(call);
  const names = new Set([...writer.writeAfter(after), ...more]);
  return {
    ...(names.size > 0 && { after: [...names] }),
    ...(when !== undefined && { when: { ...writer.write(when.from), ...when.is } }),
    ...(onFailure !== undefined && { onFailure }),
  };
}

function ofPipeline(pipeline: AnyPipeline, input: unknown): Composition {
  const pipelines = [...pipeline.uses, pipeline];
  return { graph: null, pipelines, inputs: [{ pipeline, input }, ...givenIn(pipelines)] };
}

function givenIn(pipelines: readonly AnyPipeline[]): readonly PlainInput[] {
  return pipelines.flatMap(({ gives }) => gives);
}

function refused(scope: Scope | undefined, problems: readonly string[]): KantokuError {
  const what = scope === undefined ? "this call cannot be run" : scope.label;
  return new KantokuError("invalid-definition", `${what}: ${problems.join("; ")}`, {
    data: { problems },
  });
}
