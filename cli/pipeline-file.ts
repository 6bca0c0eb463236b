import type { PipelineBody } from "../sdk/index.ts";
import { fromStages, hasStages } from "../sdk/stages/from-stages.ts";
import { readDocument } from "./read-document.ts";
import { UsageError } from "./usage-error.ts";

interface PipelineFile extends PipelineBody {
  readonly name?: string;
}

/**
 * A pipeline in a file: `{name?, graph, …}`, a graph by itself, or a stage pipeline. What is wrong
 * with its graph is the server's to find.
 * @throws UsageError for a file that is none of these
 * @throws KantokuError `invalid-definition` with all `problems` of a stage pipeline
 */
export function readPipelineFile(file: string): PipelineFile {
  const document = readDocument(file);
  if (hasStages(document)) return fromStages(document);
  if (typeof document === "object" && document !== null) {
    const body = withoutSchemaUrl(document);
    if ("graph" in body) return body as unknown as PipelineFile;
    if ("tasks" in body) return ofGraph(body as unknown as PipelineBody["graph"]);
  }
  throw new UsageError(`${file} has neither a graph, nor tasks, nor stages`);
}

/** Editors take it from there which schema to check against. */
function withoutSchemaUrl({ $schema: _, ...rest }: { readonly $schema?: unknown }): object {
  return rest;
}

/** A graph by itself may say what it is called. */
function ofGraph({ name, ...graph }: PipelineBody["graph"] & { name?: string }): PipelineFile {
  return name === undefined ? { graph } : { name, graph };
}
