import { KantokuError } from "../errors.ts";
import type { AnyPipeline } from "../graph/pipeline.ts";
import type { Service } from "../protocol/service.ts";

/** The pipelines that a client has made known: each once, before the first call of it is sent. */
export class KnownPipelines {
  readonly #service: Pick<Service, "registerPipeline">;
  readonly #made = new WeakMap<AnyPipeline, Promise<void>>();

  constructor(service: Pick<Service, "registerPipeline">) {
    this.#service = service;
  }

  /** One after the other: each comes after those that it uses. */
  async ensure(pipelines: readonly AnyPipeline[]): Promise<void> {
    for (const pipeline of pipelines) {
      const made = this.#made.get(pipeline) ?? this.#register(pipeline);
      this.#made.set(pipeline, made);
      await made;
    }
  }

  async #register(pipeline: AnyPipeline): Promise<void> {
    const { name, version, body } = pipeline;
    try {
      const registered = await this.#service.registerPipeline({ name, ...body });
      if (registered.version === version) return;
      throw new KantokuError(
        "mismatch",
        `pipeline ${name} is version ${version} here and ${registered.version} there`,
      );
    } catch (error) {
      this.#made.delete(pipeline);
      throw error;
    }
  }
}
