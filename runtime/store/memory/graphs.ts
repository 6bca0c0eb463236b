import type { DependencyRow, EdgeRow, GraphStore, MemberRow } from "../store.ts";
import { compound, type Tables } from "./tables.ts";

export function createGraphStore(tables: Tables): GraphStore {
  const { tasks, dependencies, places } = tables;

  function dependencyRows(dependent: string): DependencyRow[] {
    return [...(dependencies.get(dependent) ?? [])].flatMap((id) => {
      const task = tasks.get(id);
      if (task === undefined) return [];
      const { status, output, error, parent, place } = task;
      const outputBytes = output === null ? null : Buffer.byteLength(output);
      const name = place?.name ?? "";
      return [{ id, parent, name, dependent, status, output, error, outputBytes }];
    });
  }

  return {
    async dependenciesOf(dependents, outputBytesMax) {
      const rows = [...new Set(dependents)].flatMap(dependencyRows);
      const bytes = rows.reduce((sum, row) => sum + (row.outputBytes ?? 0), 0);
      return bytes <= outputBytesMax ? rows : rows.map((row) => ({ ...row, output: null }));
    },

    async outputsOf(ids) {
      const outputs = ids.map((id) => [id, tasks.get(id)?.output ?? null] as const);
      return new Map(outputs.filter((entry): entry is [string, string] => entry[1] !== null));
    },

    async size(root) {
      return [...tasks.values()].filter((task) => task.root === root && task.id !== root).length;
    },

    async members(root) {
      const members: MemberRow[] = [];
      for (const taskId of tables.taskIds.above("")) {
        const task = tasks.get(taskId);
        if (task?.root !== root) continue;
        const { id, definition, parent, status, place } = task;
        const { kind, name } = place ?? { kind: "task", name: null };
        members.push({ id, definition, parent, status, kind, name });
      }
      return members;
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
