/** One thing that is wrong with a document, and where in it. */
export interface DocumentProblem {
  readonly path: string;
  readonly message: string;
}

/** Notes a problem at a path that continues the complainer's own. */
export type Complain = (path: string, message: string) => void;
