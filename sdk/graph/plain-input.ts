import { parseWith } from "../schema.ts";
import type { AnyPipeline } from "./pipeline.ts";

/** What a pipeline's call takes, where nothing of it is to come. */
export interface PlainInput {
  readonly pipeline: AnyPipeline;
  readonly input: unknown;
}

/**
 * Only looks: a pipeline is given what its schema takes, not what the schema makes of it.
 * @throws SchemaMismatch
 */
export async function checkInputs(inputs: readonly PlainInput[]): Promise<void> {
  for (const { pipeline, input } of inputs) {
    if (pipeline.input === undefined) continue;
    await parseWith(pipeline.input, input, "invalid-input", `pipeline ${pipeline.name}`);
  }
}
