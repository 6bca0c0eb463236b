import type { Parameter } from "../line.ts";

/** One statement of a commit, ready to be sent. */
export interface Statement {
  readonly text: string;
  readonly parameters: readonly Parameter[];
  /** What the ids in its answer are; most answer nothing. */
  readonly answers?: "losers" | "watched" | "letters";
}
