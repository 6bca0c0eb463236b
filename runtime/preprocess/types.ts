/** Checked and compiled: `hash` is the sha256 (hex) of `source`, `code` one JavaScript function. */
export interface Preprocessor {
  readonly hash: string;
  readonly source: string;
  readonly code: string;
}

/** Where a source is wrong: lines and columns count from 1, in the source as it was given. */
export interface Problem {
  readonly message: string;
  readonly line: number;
  readonly column: number;
  /** It took all the time there is to find out: whoever has more sources had better stop here. */
  readonly isOvertime?: true;
}

export interface Reshape {
  /** Two namespaces never share a realm, nor the memory under it. */
  readonly namespace: string;
  readonly preprocessor: Preprocessor;
  /** JSON text. */
  readonly input: string;
  readonly deadlineMs?: number;
  /** Asked when its turn comes: what is not wanted by then does not run. Wanted unless given. */
  isWanted?(): boolean;
}

export type FaultKind = "threw" | "timeout" | "memory" | "stack" | "output" | "crashed";

export interface Fault {
  readonly kind: FaultKind;
  readonly name: string;
  readonly message: string;
}

/** `output` is JSON text. */
export type Reshaped = { readonly output: string } | { readonly fault: Fault };

export interface Sandbox {
  /** Rejects only what is not wanted, and when the sandbox is closed: whatever the code does comes back as a fault. */
  reshape(work: Reshape): Promise<Reshaped>;
  /** Ends the threads; what is under way is rejected. */
  close(): Promise<void>;
}
