import type { AnyDefinition } from "../definition.ts";
import { KantokuError } from "../errors.ts";
import type { ServedDefinition } from "../protocol/service.ts";

/** The definitions that a worker serves, by name and version. */
export class Repertoire {
  readonly served: readonly ServedDefinition[];
  readonly #byName = new Map<string, Map<string, AnyDefinition>>();

  /** @throws KantokuError `invalid-definition` for what is none, and two of one name and version */
  constructor(definitions: readonly AnyDefinition[]) {
    if (!Array.isArray(definitions)) throw invalid("a worker serves a list of definitions");
    for (const definition of definitions) this.#add(definition);
    this.served = definitions.map(({ served }) => served);
  }

  /** The definition of that version, or else the one that takes any. */
  find(name: string, version: string): AnyDefinition | undefined {
    const versions = this.#byName.get(name);
    return versions?.get(version) ?? versions?.get("");
  }

  #add(definition: AnyDefinition): void {
    if (definition?.kind !== "task") throw invalid(faultOf(definition));
    const { name, version = "" } = definition.served;
    const versions = this.#byName.get(name) ?? new Map<string, AnyDefinition>();
    if (versions.has(version)) {
      const label = version === "" ? name : `${name} ${version}`;
      throw invalid(`two definitions are called ${label}`);
    }
    this.#byName.set(name, versions.set(version, definition));
  }
}

function faultOf(given: { readonly kind?: unknown; readonly name?: unknown } | undefined): string {
  if (given?.kind !== "pipeline") return "a worker serves what task() makes, and nothing else";
  return `pipeline ${given.name} needs no worker; serve the tasks in it`;
}

function invalid(fault: string): KantokuError {
  return new KantokuError("invalid-definition", fault);
}
