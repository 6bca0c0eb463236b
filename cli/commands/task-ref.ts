import type { TaskRef } from "../../sdk/index.ts";
import { UsageError } from "../usage-error.ts";

export const keyFlag = ["--key <key>", "name the task by its idempotency key"] as const;

/** @throws UsageError unless exactly one of them is given */
export function toTaskRef(id: string | undefined, key: string | undefined): TaskRef {
  if (id !== undefined && key === undefined) return { id };
  if (key !== undefined && id === undefined) return { key };
  throw new UsageError("name the task either by its id or with --key");
}
