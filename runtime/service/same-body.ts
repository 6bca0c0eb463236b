import type { Graph } from "../../sdk/protocol/graph.ts";
import { canonicalJson } from "../../sdk/values/canonical.ts";
import type { TaskRow } from "../store/rows.ts";
import type { CheckedSubmit } from "./submit-check.ts";

/** What of a submit is compared when its key, or its child's name, comes again. */
export interface Body {
  readonly checked: CheckedSubmit;
  readonly graph: Graph | null;
  /** A pipeline's name was given and no version: whichever it stood for the first time is right. */
  readonly isNamed?: boolean;
}

/** The body compared is the canonical form of definition, version and input, and of the graph. */
export function hasSameBody(winner: TaskRow, { checked, graph, isNamed }: Body): boolean {
  if (isNamed) return winner.definition === checked.definition && hasSameInput(winner, checked);
  if (canonicalJson(JSON.parse(winner.place?.graph ?? "null")) !== canonicalJson(graph))
    return false;
  if (winner.definition !== checked.definition) return false;
  if (checked.version !== "" && winner.version !== checked.version) return false;
  return hasSameInput(winner, checked);
}

function hasSameInput(winner: TaskRow, checked: CheckedSubmit): boolean {
  if (winner.input === checked.input) return true;
  return canonicalJson(JSON.parse(winner.input)) === canonicalJson(JSON.parse(checked.input));
}
