import type { AnyCall } from "../call.ts";
import { limits } from "../protocol/limits.ts";
import { type Frame, frameOf, openFrame } from "./frame.ts";
import { describe, type Origin, rootsOf } from "./origin.ts";
import type { AnyPipeline } from "./pipeline.ts";
import type { PlainInput } from "./plain-input.ts";
import { type Opened, openInput } from "./references.ts";
import type { Scope } from "./scope.ts";
import { traitsOf } from "./traits.ts";

/** Options that only the task of a definition has. */
const ofOneTask = ["startAt", "timeout", "attemptTimeout", "retry"] as const;

export interface Discovery {
  readonly frame: Frame;
  /** Those that calls are of, each after those that it uses itself. */
  readonly pipelines: ReadonlySet<AnyPipeline>;
  /** Of those calls. */
  readonly inputs: readonly PlainInput[];
  readonly problems: string[];
}

/** All calls that a result needs, each in the graph that it belongs to. */
export function discover(result: AnyCall, scope: Scope | undefined): Discovery {
  const walk = new Walk();
  const frame = openFrame(scope);
  walk.visit(result, frame);
  if (walk.isTooLarge) walk.problems.push(`it has more than ${limits.graphTasksMax} tasks`);
  const { pipelines, inputs, problems } = walk;
  return { frame, pipelines, inputs, problems };
}

class Walk {
  readonly problems: string[] = [];
  readonly pipelines = new Set<AnyPipeline>();
  readonly inputs: PlainInput[] = [];
  readonly #path: AnyCall[] = [];
  #tasks = 0;
  isTooLarge = false;

  visit(call: AnyCall, from: Frame): void {
    const { scope } = traitsOf(call);
    const frame = frameOf(scope, from);
    if (frame === undefined) {
      this.#complain(`the call ${call.definition}`, scope, from);
      return;
    }
    // Frame by frame: an each and what was derived from it copy the same inner calls.
    if (frame.entered.has(call)) {
      if (!frame.calls.has(call)) this.#complainOfCycle(call);
      return;
    }
    // Before going down: that also bounds how deep this recurses.
    this.isTooLarge ||= this.#tasks >= limits.graphTasksMax;
    if (this.isTooLarge) return;
    this.#tasks++;
    frame.entered.add(call);
    this.#path.push(call);
    this.#enter(call, frame);
    this.#path.pop();
  }

  #enter(call: AnyCall, frame: Frame): void {
    const opened = openInput(call.input);
    const { after = [], when, each, pipeline } = traitsOf(call);
    for (const { from } of opened.references) this.#visitRoots(from, frame);
    if (when !== undefined) this.#visitRoots(when.from, frame);
    for (const other of after) this.visit(other, frame);
    if (each !== undefined) {
      this.#checkOptions(call, each.scope);
      const inner = openFrame(each.scope, frame);
      frame.inner.set(call, inner);
      if (traitsOf(each.result).scope !== each.scope) this.#complainOfResult(each.result, inner);
      else this.visit(each.result, inner);
    }
    if (pipeline !== undefined) this.#use(pipeline, opened);
    frame.calls.set(call, opened);
  }

  #use(pipeline: AnyPipeline, { data, references }: Opened): void {
    for (const used of pipeline.uses) this.pipelines.add(used);
    this.pipelines.add(pipeline);
    if (references.length === 0) this.inputs.push({ pipeline, input: data });
  }

  #checkOptions(call: AnyCall, { label }: Scope): void {
    const { options = {} } = traitsOf(call);
    const misplaced = ofOneTask.filter((key) => options[key] !== undefined);
    if (misplaced.length === 0) return;
    this.problems.push(`${label} has no ${misplaced.join(", ")}; say it of the calls in its body`);
  }

  #visitRoots(origin: Origin, frame: Frame): void {
    for (const root of rootsOf(origin)) {
      if (root.kind === "call") this.visit(root.call, frame);
      else if (frameOf(root.scope, frame) === undefined) {
        this.#complain(`the ${describe(root)}`, root.scope, frame);
      }
    }
  }

  #complain(what: string, scope: Scope | undefined, { scope: place }: Frame): void {
    const where = place === undefined ? "outside of it" : `in ${place.label}`;
    this.problems.push(`${what} of ${scope?.label} is used ${where}`);
  }

  #complainOfResult({ definition }: AnyCall, { scope }: Frame): void {
    this.problems.push(`${scope?.label} gives the call ${definition}, which it did not make`);
  }

  #complainOfCycle(call: AnyCall): void {
    const cycle = [...this.#path.slice(this.#path.indexOf(call)), call];
    this.problems.push(
      `a call needs itself: ${cycle.map(({ definition }) => definition).join(" → ")}`,
    );
  }
}
