import type { Figure, Report } from "./figures.ts";

/** What every workload gets: a database of its own and a way to tell its figures. */
export interface Scope {
  readonly databaseUrl: string;
  readonly report: Report;
  /** A fraction of the full size, for a quick look; 1 unless asked for less. */
  readonly scale: number;
}

export type Workload = (scope: Scope) => Promise<void>;
export type { Figure };
