import { limits } from "../../sdk/protocol/limits.ts";
import type { Clock } from "../ports/clock.ts";
import type { GraphStore } from "../store/store.ts";

/** After this a root is counted again: what was allowed may not have come to be. */
const countedMs = 10_000;
const rootsMax = 10_000;

interface RootSizesOptions {
  readonly graphs: GraphStore;
  readonly clock: Clock;
}

/**
 * How many tasks are under each root, as far as this node knows: counted once, then with what it
 * allowed since, so that many that ask at once do not each find room for all.
 */
export class RootSizes {
  readonly #options: RootSizesOptions;
  readonly #sizes = new Map<string, Size>();

  constructor(options: RootSizesOptions) {
    this.#options = options;
  }

  /** Whether there is room for so many more; if so, they are taken for granted. */
  async mayGrow(root: string, by: number): Promise<boolean> {
    return (await this.grow(root, by)) !== null;
  }

  /** So many more, which may not come to be. Null: there is no room for them. */
  async grow(root: string, by: number): Promise<Growth | null> {
    const size = this.#sizeOf(root);
    const counted = await size.counted;
    if (counted + size.allowed + by > limits.descendantsMax) return null;
    size.allowed += by;
    return {
      takeBack() {
        size.allowed -= by;
      },
    };
  }

  #sizeOf(root: string): Size {
    const { graphs, clock } = this.#options;
    const now = clock.monotonic();
    const known = this.#sizes.get(root);
    if (known !== undefined && now - known.countedAt < countedMs) return known;
    const size: Size = { counted: graphs.size(root), countedAt: now, allowed: 0 };
    size.counted.catch(() => this.#sizes.delete(root));
    this.#sizes.delete(root);
    this.#sizes.set(root, size);
    const oldest = this.#sizes.keys().next();
    if (this.#sizes.size > rootsMax && !oldest.done) this.#sizes.delete(oldest.value);
    return size;
  }
}

/** Room under a root that was taken. */
interface Growth {
  /** Nothing came of it. Once at most. */
  takeBack(): void;
}

interface Size {
  readonly counted: Promise<number>;
  readonly countedAt: number;
  allowed: number;
}
