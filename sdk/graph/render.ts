import type { GraphTaskView, GraphView } from "../protocol/graph.ts";
import { dependenciesFirst } from "./drawing-order.ts";

/** One line of a drawn tree: where it hangs, and what hangs there. */
export interface TreeLine {
  /** The lines that lead to it: `│  ├─ `. */
  readonly indent: string;
  readonly task: GraphTaskView;
  /** Names of the tasks beside it that have to end before it starts. */
  readonly after: readonly string[];
}

/** A graph from its root down, each task beside others below those that it waits for. */
export function toTreeLines(view: GraphView): readonly TreeLine[] {
  const root = view.tasks.find(({ id }) => id === view.root);
  if (root === undefined) return [];
  const plan = planOf(view);
  return [{ indent: "", task: root, after: [] }, ...linesUnder(root.id, "", plan)];
}

interface Plan {
  readonly children: ReadonlyMap<string | undefined, readonly GraphTaskView[]>;
  readonly byId: ReadonlyMap<string, GraphTaskView>;
  readonly before: ReadonlyMap<string, readonly string[]>;
}

function planOf({ tasks, edges }: GraphView): Plan {
  const before = Map.groupBy(edges, ({ to }) => to);
  return {
    children: Map.groupBy(tasks, ({ parent }) => parent),
    byId: new Map(tasks.map((task) => [task.id, task])),
    before: new Map(Array.from(before, ([to, list]) => [to, list.map(({ from }) => from)])),
  };
}

function linesUnder(parent: string, margin: string, plan: Plan): readonly TreeLine[] {
  const children = dependenciesFirst(plan.children.get(parent) ?? [], plan.before);
  return children.flatMap((task, index) => {
    const isLast = index === children.length - 1;
    const line = {
      indent: `${margin}${isLast ? "└─ " : "├─ "}`,
      task,
      after: namesBefore(task, plan),
    };
    return [line, ...linesUnder(task.id, `${margin}${isLast ? "   " : "│  "}`, plan)];
  });
}

function namesBefore({ id, parent }: GraphTaskView, { before, byId }: Plan): readonly string[] {
  return (before.get(id) ?? []).flatMap((it) => {
    const dependency = byId.get(it);
    return dependency?.parent === parent && dependency !== undefined ? [dependency.name] : [];
  });
}

/** Fill and border, as Mermaid has them, by status. */
const mermaidStyles: Readonly<Record<string, string>> = {
  running: "fill:#cfe8ff,stroke:#1668b4,color:#000",
  suspended: "fill:#e6f2ff,stroke:#1668b4,color:#000",
  succeeded: "fill:#d5f2d8,stroke:#2a7a35,color:#000",
  failed: "fill:#ffd7d5,stroke:#b3261e,color:#000",
  quarantined: "fill:#ffd7d5,stroke:#b3261e,color:#000",
  cancelled: "fill:#fff0c2,stroke:#8a6d00,color:#000",
  cancelling: "fill:#fff0c2,stroke:#8a6d00,color:#000",
  skipped: "fill:#f2f2f2,stroke:#888,color:#000,stroke-dasharray:4",
};

/** A graph as the text of a Mermaid flowchart; composites are boxes around their tasks. */
export function toMermaid(view: GraphView): string {
  const { children } = planOf(view);
  const marks = new Map(view.tasks.map(({ id }, index) => [id, `t${index}`]));
  const parents = new Map(view.tasks.map(({ id, parent }) => [id, parent]));
  const used = new Set(view.tasks.map(({ status }) => status));
  const edges = view.edges.filter(({ from, to }) => parents.get(from) !== to);
  return [
    "flowchart LR",
    ...boxLines(
      view.tasks.filter(({ id }) => id === view.root),
      { children, marks, margin: "  " },
    ),
    ...edges.flatMap(({ from, to }) => {
      const [start, end] = [marks.get(from), marks.get(to)];
      return start === undefined || end === undefined ? [] : [`  ${start} --> ${end}`];
    }),
    ...Object.entries(mermaidStyles)
      .filter(([status]) => used.has(status))
      .map(([status, style]) => `  classDef ${status} ${style}`),
  ].join("\n");
}

interface Boxes {
  readonly children: Plan["children"];
  readonly marks: ReadonlyMap<string, string>;
  readonly margin: string;
}

function boxLines(tasks: readonly GraphTaskView[], boxes: Boxes): readonly string[] {
  const { children, marks, margin } = boxes;
  return tasks.flatMap((task) => {
    const under = children.get(task.id) ?? [];
    const mark = marks.get(task.id);
    const style = Object.hasOwn(mermaidStyles, task.status) ? `:::${task.status}` : "";
    if (under.length === 0) return [`${margin}${mark}["${mermaidLabel(task)}"]${style}`];
    return [
      `${margin}subgraph ${mark}["${mermaidLabel(task)}"]`,
      ...boxLines(under, { ...boxes, margin: `${margin}  ` }),
      `${margin}end`,
      ...(style === "" ? [] : [`${margin}class ${mark} ${task.status}`]),
    ];
  });
}

function mermaidLabel({ name, definition, status }: GraphTaskView): string {
  const title = name === definition ? name : `${name}: ${definition}`;
  return `${title}<br/>${status}`.replaceAll(/[^\w .:/<>-]/g, (it) => `#${it.codePointAt(0)};`);
}
