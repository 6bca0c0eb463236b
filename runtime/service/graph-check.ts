import { KantokuError } from "../../sdk/errors.ts";
import type { Graph } from "../../sdk/protocol/graph.ts";
import { checkGraph } from "../graph/check.ts";
import type { Preprocessing } from "../ports/preprocessing.ts";
import { checkVertex } from "./submit-check.ts";

/** @throws KantokuError `invalid-definition` that lists everything that is wrong */
export function assertGraph(graph: Graph, preprocessing: Preprocessing): void {
  let isOvertime = false;
  const problems = checkGraph(graph, {
    checkVertex,
    checkSource: (source) => {
      // One source may hold this process up; a graph of a thousand of them may not.
      if (isOvertime) return [];
      const found = preprocessing.check(source);
      isOvertime = found.some((problem) => problem.isOvertime === true);
      return found.map(({ message, line, column }) => `line ${line}, column ${column}: ${message}`);
    },
  });
  if (problems.length === 0) return;
  const lines = problems.map(({ path, message }) => `${path} ${message}`);
  throw new KantokuError("invalid-definition", lines.join("; ").slice(0, 1_000), {
    data: { problems },
  });
}
