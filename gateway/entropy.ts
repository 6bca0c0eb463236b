import { randomUUID } from "node:crypto";

/** The gateway's only source of ids and chance; the runtime's fits. */
export interface Entropy {
  id(): string;
  /** In [0, 1). */
  random(): number;
}

export const systemEntropy: Entropy = { id: randomUUID, random: Math.random };
