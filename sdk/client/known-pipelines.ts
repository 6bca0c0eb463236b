import { KantokuError } from "../errors.ts";
import type { AnyPipeline } from "../graph/pipeline.ts";
import type { Service } from "../protocol/service.ts";

/** Makes pipelines known before the first call of theirs is sent, once for each client. */
export class Registrations {
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
