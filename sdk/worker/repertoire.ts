import type { AnyDefinition } from "../definition.ts";
import { KantokuError } from "../errors.ts";
import type { ServedDefinition } from "../protocol/service.ts";

/** The definitions that a worker serves, by name and version. */
export class Repertoire {
  readonly served: readonly ServedDefinition[];
  readonly #byName = new Map<string, Map<string, AnyDefinition>>();

  /** @throws KantokuError `invalid-definition` for two of one name and version */
  constructor(definitions: readonly AnyDefinition[]) {
    for (const definition of definitions) this.#add(definition);
    this.served = definitions.map(({ served }) => served);
  }

  /** The definition of that version, or else the one that takes any. */
  find(name: string, version: string): AnyDefinition | undefined {
    const versions = this.#byName.get(name);
    return versions?.get(version) ?? versions?.get("");
  }

  #add(definition: AnyDefinition): void {
    const { name, version = "" } = definition.served;
    const versions = this.#byName.get(name) ?? new Map<string, AnyDefinition>();
    if (versions.has(version)) {
      const label = version === "" ? name : `${name} ${version}`;
      throw new KantokuError("invalid-definition", `two definitions are called ${label}`);
    }
    this.#byName.set(name, versions.set(version, definition));
  }
}
