/** JSON text. */
type JsonText = string;

/** Why a preprocessor gave nothing: its own fault, and the end of the task it was for. */
interface PreprocessFault {
  readonly name: string;
  readonly code: string;
  readonly message: string;
}

type Preprocessed =
  | { readonly output: JsonText; readonly source: string; readonly input: string }
  | { readonly fault: PreprocessFault };

/** A place where a source is wrong; lines and columns count from 1. */
interface SourceProblem {
  readonly message: string;
  readonly line: number;
  readonly column: number;
  /** It took all the time there is to find out: whoever has more sources had better stop here. */
  readonly isOvertime?: true;
}

/** The door to where preprocessors run. */
export interface Preprocessing {
  /** What is wrong with a source; empty when it will do. */
  check(source: string): readonly SourceProblem[];
  /**
   * Runs a source on a value. `source` and `input` of the answer are SHA-256 of what ran, in hex.
   * Rejects only when there is nothing to run it any more, or nobody who wants it.
   */
  run(work: {
    readonly namespace: string;
    readonly source: string;
    readonly input: JsonText;
    /** Asked when its turn comes: what is not wanted by then does not run. */
    isWanted(): boolean;
  }): Promise<Preprocessed>;
  close(): Promise<void>;
}

/** Where nobody brought a sandbox: every source is refused. */
export const noPreprocessing: Preprocessing = {
  check: () => [{ message: "this node runs no preprocessors", line: 1, column: 1 }],
  run: async () => ({
    fault: { name: "Error", code: "preprocessor-failed", message: "no sandbox" },
  }),
  close: async () => {},
};
