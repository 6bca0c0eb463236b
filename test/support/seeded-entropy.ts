import type { Entropy } from "../../runtime/ports/entropy.ts";

export interface SeededEntropy extends Entropy {
  /** Draws this number from now on; null goes back to the seed. */
  fix(random: number | null): void;
}

/** Ids that count up, as UUIDv7 do over time, and chance that a seed repeats. */
export function createSeededEntropy(seed = 1): SeededEntropy {
  let ids = 0;
  let state = seed >>> 0;
  let fixed: number | null = null;
  return {
    id() {
      ids += 1;
      const digits = ids.toString(16).padStart(12, "0");
      return `0190${(seed & 0xffff).toString(16).padStart(4, "0")}-0000-7000-8000-${digits}`;
    },
    random() {
      if (fixed !== null) return fixed;
      // mulberry32
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    },
    fix(random) {
      fixed = random;
    },
  };
}
