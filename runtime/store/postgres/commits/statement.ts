import type { Parameter } from "../line.ts";

/** A batch as it is sent. */
export interface Writing {
  readonly statements: readonly Statement[];
  /** It is one statement, which has the fence in it and commits by itself. */
  readonly isWhole: boolean;
}

/** One statement of a commit, ready to be sent. */
export interface Statement {
  readonly text: string;
  /** As the only one of its batch; absent where that never is. */
  readonly alone?: string;
  readonly parameters: readonly Parameter[];
  /** What the ids in its answer are; most answer nothing. */
  readonly answers?: "losers" | "letters";
}
