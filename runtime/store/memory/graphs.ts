import type { DependencyRow, EdgeRow, GraphStore } from "../store.ts";
import { compound, type Tables } from "./tables.ts";

export function createGraphStore(tables: Tables): GraphStore {
  const { tasks, dependencies, places } = tables;

  function dependencyRows(dependent: string): DependencyRow[] {
    return [...(dependencies.get(dependent) ?? [])].flatMap((id) => {
      const task = tasks.get(id);
      if (task === undefined) return [];
      const { status, output, error, parent, place } = task;
      return [{ id, parent, name: place?.name ?? "", dependent, status, output, error }];
    });
  }

  return {
    async dependenciesOf(dependents) {
      return [...new Set(dependents)].flatMap(dependencyRows);
    },

    async size(root) {
      return [...tasks.values()].filter((task) => task.root === root && task.id !== root).length;
    },

    async edges(root) {
      const edges: EdgeRow[] = [];
      for (const [dependent, all] of dependencies) {
        if (tasks.get(dependent)?.root !== root) continue;
        for (const dependency of all) edges.push({ dependency, dependent });
      }
      return edges;
    },

    async child(parent, name) {
      const id = places.get(compound(parent, name));
      return (id !== undefined && tasks.get(id)) || null;
    },
  };
}
