import type { AnyCall } from "../call.ts";
import type { Source } from "../protocol/graph.ts";
import { canonicalJson } from "../values/canonical.ts";
import { type Frame, frameOf } from "./frame.ts";
import { numbering } from "./names.ts";
import { type Origin, type Parts, rootsOf } from "./origin.ts";
import { toPointer } from "./pointer.ts";
import { traitsOf } from "./traits.ts";

/** Writes the sources of one graph; what lies outside of it is asked for as `given`. */
export class SourceWriter {
  readonly #frame: Frame;
  readonly #names: ReadonlyMap<AnyCall, string>;
  readonly #outer: SourceWriter | undefined;
  readonly #given = new Map<string, { readonly name: string; readonly source: Source }>();
  readonly #after = new Set<string>();
  readonly #nextName = numbering();

  constructor(frame: Frame, names: ReadonlyMap<AnyCall, string>, outer?: SourceWriter) {
    this.#frame = frame;
    this.#names = names;
    this.#outer = outer;
  }

  /** What the graph turned out to need of the one around it. */
  get given(): readonly { readonly name: string; readonly source: Source }[] {
    return [...this.#given.values()];
  }

  /** The tasks around it that have to end before any of its own may start. */
  get startsAfter(): readonly string[] {
    return [...this.#after];
  }

  write(origin: Origin): Source {
    // As large as possible, so that what all copies share is worked out once.
    if (this.#outer !== undefined && this.#isForeign(origin))
      return this.#take(origin, this.#outer);
    switch (origin.kind) {
      case "call":
        return { task: this.nameOf(origin.call) };
      case "given":
        return origin.scope.given === "item" ? { item: true } : { input: true };
      case "path":
        return pickedFrom(this.write(origin.of), toPointer(origin.keys));
      case "map":
        return reshapedFrom(this.write(origin.of), origin.preprocessor);
      case "all":
        return { all: this.#writeParts(origin.parts) };
    }
  }

  /** The names of those calls that are the graph's own; for the others the whole graph waits. */
  writeAfter(calls: readonly AnyCall[]): string[] {
    const own = new Set<string>();
    for (const call of calls) {
      if (this.#names.has(call)) own.add(this.nameOf(call));
      else for (const name of this.#outer?.writeAfter([call]) ?? []) this.#after.add(name);
    }
    return [...own];
  }

  nameOf(call: AnyCall): string {
    return this.#names.get(call) ?? call.definition;
  }

  #isForeign(origin: Origin): boolean {
    for (const root of rootsOf(origin)) {
      const scope = root.kind === "call" ? traitsOf(root.call).scope : root.scope;
      if (frameOf(scope, this.#frame) === this.#frame) return false;
    }
    return true;
  }

  #take(origin: Origin, outer: SourceWriter): Source {
    const source = outer.write(origin);
    const text = canonicalJson(source);
    const taken = this.#given.get(text) ?? { name: this.#nextName(baseNameOf(origin)), source };
    this.#given.set(text, taken);
    return { input: true, path: toPointer([taken.name]) };
  }

  #writeParts(parts: Parts): readonly Source[] | Readonly<Record<string, Source>> {
    if (Array.isArray(parts)) return parts.map((part: Origin) => this.write(part));
    return Object.fromEntries(Object.entries(parts).map(([key, part]) => [key, this.write(part)]));
  }
}

// A path is picked before the preprocessor of the same source runs.
function pickedFrom(base: Source, pointer: string): Source {
  if (base.preprocessor !== undefined) return { of: base, path: pointer };
  return { ...base, path: `${base.path ?? ""}${pointer}` };
}

function reshapedFrom(base: Source, preprocessor: string): Source {
  return base.preprocessor === undefined ? { ...base, preprocessor } : { of: base, preprocessor };
}

function baseNameOf(origin: Origin): string {
  switch (origin.kind) {
    case "call":
      return origin.call.definition;
    case "given":
      return origin.scope.given;
    case "path":
      return origin.keys.at(-1) ?? baseNameOf(origin.of);
    case "map":
      return baseNameOf(origin.of);
    case "all":
      return "all";
  }
}
