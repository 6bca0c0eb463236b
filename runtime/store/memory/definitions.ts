import type { DefinitionStore } from "../store.ts";
import { byText } from "./ordered.ts";
import { compound, type Tables } from "./tables.ts";

export function createDefinitionStore({ definitions }: Tables): DefinitionStore {
  return {
    async save(rows) {
      for (const row of rows) {
        definitions.set(compound(row.namespace, row.name, row.version), row);
      }
    },

    async list(namespace) {
      return [...definitions.values()]
        .filter((row) => row.namespace === namespace)
        .sort((a, b) => byText(a.name, b.name) || byText(a.version, b.version));
    },
  };
}
