/** What a turn wishes done outside. Performed, or derived again by the next owner, after the commit. */
export type TaskEffect =
  | { readonly type: "startAttempt"; readonly params: { readonly token: string } }
  | { readonly type: "cancelAttempt"; readonly params: CancelAttempt }
  | { readonly type: "cancelChildren"; readonly params: { readonly reason: string } }
  | { readonly type: "setTimer"; readonly params: SetTimer }
  | { readonly type: "clearTimer"; readonly params: ClearTimer };

export interface CancelAttempt {
  readonly token: string | null;
  readonly worker: string | null;
  readonly reason: string;
}

/** Without `dueAt` there is nothing to set. */
export interface SetTimer {
  readonly kind: TimerKind;
  readonly dueAt: number | null;
}

/** Unless `isSet`, there is no row to delete. */
export interface ClearTimer {
  readonly kind: TimerKind;
  readonly isSet: boolean;
}

export type TimerKind = "due" | "deadline";
