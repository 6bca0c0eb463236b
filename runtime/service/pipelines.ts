import { KantokuError } from "../../sdk/errors.ts";
import type { PipelineBody, PipelineView } from "../../sdk/protocol/graph.ts";
import { namePattern } from "../../sdk/protocol/limits.ts";
import type { Listener, PipelinePage } from "../../sdk/protocol/service.ts";
import { canonicalJson } from "../../sdk/values/canonical.ts";
import { encodePayload } from "../../sdk/values/payload.ts";
import type { Engine } from "../engine/engine.ts";
import { sha256 } from "../ports/hash.ts";
import type { PipelineRow } from "../store/rows.ts";
import { bytesOfTexts, readPage } from "./bounded-page.ts";
import { invalid, reading } from "./faults.ts";
import { assertGraph } from "./graph-check.ts";

const bodyBytesMax = 1024 * 1024;
/** Of a view: its version, its instant, and what its members are called. */
const bytesBeside = 200;
/** Enough of the hash to tell versions apart for ever, and short enough to be read. */
const versionLength = 16;

/** Pipelines known by name. */
export class Pipelines {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async register(
    namespace: string,
    { name, ...given }: PipelineBody & { name: string },
  ): Promise<PipelineView> {
    this.#engine.assertUp();
    if (typeof name !== "string" || !namePattern.test(name)) {
      throw invalid("name", `must match ${namePattern.source}`);
    }
    assertGraph(given.graph, this.#engine.preprocessing);
    const body = encodePayload(given, { at: "pipeline", bytesMax: bodyBytesMax });
    const version = sha256(canonicalJson(JSON.parse(body))).slice(0, versionLength);
    const { store, life } = this.#engine;
    const registeredAt = life.clock.now();
    await reading(() => store.pipelines.save({ namespace, name, version, body, registeredAt }));
    return this.get(namespace, { name, version });
  }

  /** @throws KantokuError `not-found` */
  async get(
    namespace: string,
    { name, version }: { name: string; version?: string },
  ): Promise<PipelineView> {
    const { store } = this.#engine;
    const row = await reading(() => store.pipelines.read(namespace, name, version ?? null));
    if (row !== null) return toView(row);
    throw new KantokuError("not-found", `there is no pipeline ${name}`, {
      data: { name, ...(version === undefined ? {} : { version }) },
    });
  }

  async list(
    namespace: string,
    {
      limit,
      cursor = "",
      listener,
    }: { limit: number; cursor?: string; listener: Listener | undefined },
  ): Promise<PipelinePage> {
    const { pipelines } = this.#engine.store;
    const { rows, hasMore } = await readPage<PipelineRow>({
      limit,
      listener,
      read: ({ last, ...asked }) =>
        pipelines.list(namespace, { beyond: last?.name ?? cursor, ...asked }),
      bytesOf: ({ name, body }) => bytesOfTexts(name, body) + bytesBeside,
    });
    const last = rows.at(-1);
    return { pipelines: rows.map(toView), ...(hasMore && last ? { cursor: last.name } : {}) };
  }
}

function toView({ name, version, body, registeredAt }: PipelineRow): PipelineView {
  return { name, version, ...(JSON.parse(body) as PipelineBody), registeredAt };
}
