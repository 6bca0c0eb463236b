import { KantokuError } from "../../sdk/errors.ts";
import type { Ref } from "../../sdk/protocol/graph.ts";
import { limits } from "../../sdk/protocol/limits.ts";
import { preprocessorInputTooLarge } from "./faults.ts";
import { leastCharsOf } from "./size.ts";

/** How much the parts of one value may come to: who spends more need not be given the rest. */
export class Allowance {
  readonly #charsMax: number;
  readonly #refusal: (chars: number) => Error;
  #chars = 0;

  constructor(charsMax: number, refusal: (chars: number) => Error) {
    this.#charsMax = charsMax;
    this.#refusal = refusal;
  }

  spend(value: unknown): void {
    this.#chars += leastCharsOf(value, this.#charsMax);
    if (this.#chars > this.#charsMax) throw this.#refusal(this.#chars);
  }
}

export function payloadAllowance(path: "input" | "output"): Allowance {
  const limit = limits.payloadBytesMax;
  return new Allowance(limit, (bytes) => {
    const message = `${path} is ${bytes} bytes or more; the limit is ${limit}`;
    return new KantokuError("too-large", message, { data: { path, limit, bytes } });
  });
}

export function preprocessorAllowance(): Allowance {
  return new Allowance(limits.preprocessorInputBytesMax, preprocessorInputTooLarge);
}

/** Whether one ref may take the place of what another has filled in: then not all of them count. */
export function mayReplace(refs: readonly Ref[]): boolean {
  // A dash stands for a new place at the end of a list, each time another one.
  const places = refs.map(({ at }, index) => at.replaceAll(/\/-(?=\/|$)/g, `/- ${index}`));
  const all = new Set(places);
  return (
    all.size < places.length || places.some((place) => ancestorsOf(place).some((it) => all.has(it)))
  );
}

function ancestorsOf(place: string): string[] {
  const parts = place.split("/");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
}
