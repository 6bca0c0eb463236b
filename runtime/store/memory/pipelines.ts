import type { PipelineRow } from "../rows.ts";
import type { PipelineStore } from "../store.ts";
import { partOf } from "./bounded-part.ts";
import { byText } from "./ordered.ts";
import { compound, type Tables } from "./tables.ts";

export function createPipelineStore({ pipelines }: Tables): PipelineStore {
  function latest(rows: readonly PipelineRow[]): PipelineRow | null {
    return rows.reduce<PipelineRow | null>((best, row) => (isLater(row, best) ? row : best), null);
  }

  return {
    async save(row) {
      const key = compound(row.namespace, row.name, row.version);
      if (!pipelines.has(key)) pipelines.set(key, row);
    },

    async read(namespace, name, version) {
      if (version !== null) return pipelines.get(compound(namespace, name, version)) ?? null;
      return latest(
        [...pipelines.values()].filter((row) => row.namespace === namespace && row.name === name),
      );
    },

    async list(namespace, { beyond, limit, bytesMax }) {
      const own = [...pipelines.values()].filter(
        (row) => row.namespace === namespace && byText(row.name, beyond) > 0,
      );
      const byName = Map.groupBy(own, ({ name }) => name);
      const asked = [...byName.values()]
        .map(latest)
        .filter((row) => row !== null)
        .sort((a, b) => byText(a.name, b.name))
        .slice(0, limit);
      return partOf(asked, { bytesMax, textsOf: ({ body }) => [body] });
    },
  };
}

function isLater(row: PipelineRow, than: PipelineRow | null): boolean {
  if (than === null || row.registeredAt > than.registeredAt) return true;
  return row.registeredAt === than.registeredAt && row.version > than.version;
}
