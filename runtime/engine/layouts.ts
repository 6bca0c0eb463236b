import { isKantokuError } from "../../sdk/errors.ts";
import type { GraphTask } from "../../sdk/protocol/graph.ts";
import { limits } from "../../sdk/protocol/limits.ts";
import type { TaskError } from "../../sdk/protocol/task.ts";
import { type Expansion, expandEach, expandGraph, isTooDeep } from "../graph/expand.ts";
import { copiesOf, givenOf, hasItems, itemsOf } from "../graph/place.ts";
import type { ParsedPlace } from "../graph/vertices.ts";
import type { Clock } from "../ports/clock.ts";
import type { Entropy } from "../ports/entropy.ts";
import type { TaskIdentity } from "../store/rows.ts";
import { toChildren } from "./children.ts";
import type { Resolution } from "./messages.ts";
import type { PipelineBook } from "./pipeline-book.ts";
import type { RootSizes } from "./root-sizes.ts";

export interface LayoutsOptions {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly pipelines: PipelineBook;
  readonly sizes: RootSizes;
}

/** A pipeline or an `each` that may begin, and what its input has become. */
interface Composed {
  readonly vertex: GraphTask;
  readonly place: ParsedPlace;
  readonly value: unknown;
  readonly beginning: Omit<Extract<Resolution, { kind: "go" }>, "children" | "dependsOn">;
}

/** Makes the tasks of composites when their input is known. */
export class Layouts {
  readonly #options: LayoutsOptions;

  constructor(options: LayoutsOptions) {
    this.#options = options;
  }

  async layOut(identity: TaskIdentity, composite: Composed): Promise<Resolution> {
    const { vertex, place, value, beginning } = composite;
    const { sizes, entropy, clock, pipelines } = this.#options;
    const { graph } = place;
    const options = {
      parent: identity,
      mintId: () => entropy.id(),
      now: clock.now(),
      pipelines: await pipelines.findAll(identity.namespace, graph),
    };
    if (isTooDeep(identity)) return tooMuch(`tasks lie more than ${limits.treeDepthMax} deep`);
    if (place.kind === "each") {
      const items = itemsOf(value);
      if (!hasItems(value)) return tooMuch(`each needs a list of items, and got ${kindOf(value)}`);
      if (items.length === 0) {
        return { kind: "succeed", output: "[]", preprocessed: beginning.preprocessed };
      }
    }
    const copies = copiesOf(place, value);
    const count = Object.keys(graph.tasks).length * copies;
    if (!(await sizes.mayGrow(identity.root, count))) {
      return tooMuch(`there would be more than ${limits.descendantsMax} tasks under one root`);
    }
    const limit = "each" in vertex ? vertex.limit : undefined;
    try {
      const { births, members }: Expansion =
        place.kind === "each"
          ? expandEach(graph, {
              ...options,
              items: itemsOf(value),
              given: givenOf(value),
              ...(limit === undefined ? {} : { limit }),
            })
          : expandGraph(graph, { ...options, input: value });
      return { ...beginning, children: toChildren(births), dependsOn: members };
    } catch (error) {
      if (isKantokuError(error)) return tooMuch(error.message);
      throw error;
    }
  }
}

function tooMuch(message: string): Resolution {
  const error: TaskError = { name: "GraphError", code: "invalid-graph", message, retryable: false };
  return { kind: "fail", error };
}

/** What stands where a list was wanted. */
function kindOf(value: unknown): string {
  const items =
    typeof value === "object" && value !== null && "items" in value ? value.items : value;
  if (items === null || items === undefined) return "nothing (null)";
  return typeof items === "object" ? "an object" : `a ${typeof items}`;
}
