declare const output: unique symbol;

/** A definition applied to an input: a frozen plain value. Nothing runs until a client gets it. */
export interface Call<Output = unknown> {
  readonly definition: string;
  readonly version?: string;
  readonly input?: unknown;
  readonly labels?: Readonly<Record<string, string>>;
  /** Only a type: what `run` resolves to. */
  readonly [output]?: Output;
}
