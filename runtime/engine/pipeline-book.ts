import type { Graph, GraphTask, PipelineBody } from "../../sdk/protocol/graph.ts";
import { type DefinitionRef, type PipelineVersion, pipelineKey } from "../graph/expand.ts";
import type { Clock } from "../ports/clock.ts";
import type { PipelineRow } from "../store/rows.ts";
import type { PipelineStore } from "../store/store.ts";
import type { Pool } from "./pool.ts";

/**
 * Registered pipelines. A version never changes and is remembered; what a name stands for is read
 * each time, once a tick for all who ask: whoever registered it, on whatever node, and then runs
 * it gets it.
 */
export class PipelineBook {
  readonly #store: PipelineStore;
  readonly #pool: Pool;
  readonly #clock: Clock;
  readonly #versions = new Map<string, PipelineVersion>();
  readonly #asked = new Map<string, Promise<PipelineVersion | null>>();

  constructor(options: { store: PipelineStore; pool: Pool; clock: Clock }) {
    this.#store = options.store;
    this.#pool = options.pool;
    this.#clock = options.clock;
  }

  /**
   * Null: no such pipeline; then the definition is a worker's. Whatever a worker serves here need
   * not be looked up.
   */
  find(namespace: string, ref: DefinitionRef): Promise<PipelineVersion | null> {
    const { definition } = ref;
    if (this.#pool.isServedAnyVersion({ namespace, definition })) return Promise.resolve(null);
    const key = JSON.stringify([namespace, pipelineKey(ref)]);
    const known = this.#versions.get(key);
    if (known !== undefined) return Promise.resolve(known);
    const asked = this.#asked.get(key) ?? this.#ask(key, namespace, ref);
    this.#asked.set(key, asked);
    return asked;
  }

  /** Those definitions of a graph that are pipelines, by `pipelineKey`. */
  async findAll(namespace: string, graph: Graph): Promise<ReadonlyMap<string, PipelineVersion>> {
    const refs = Object.values<GraphTask>(graph.tasks).filter((it) => "definition" in it);
    const distinct = new Map(refs.map((ref) => [pipelineKey(ref), ref]));
    const found = await Promise.all(
      Array.from(distinct, async ([key, ref]) => [key, await this.find(namespace, ref)] as const),
    );
    return new Map(found.flatMap(([key, version]) => (version === null ? [] : [[key, version]])));
  }

  /** Reads at the end of the tick; who asks after that is not answered with what was read before. */
  async #ask(key: string, namespace: string, ref: DefinitionRef): Promise<PipelineVersion | null> {
    await new Promise<void>((resolve) => this.#clock.soon(resolve));
    this.#asked.delete(key);
    const row = await this.#store.read(namespace, ref.definition, ref.version ?? null);
    const found = row === null ? null : toVersion(row);
    if (found !== null && ref.version !== undefined) this.#versions.set(key, found);
    return found;
  }
}

function toVersion({ version, body }: PipelineRow): PipelineVersion {
  return { version, graph: (JSON.parse(body) as PipelineBody).graph };
}
