import { limits } from "../../sdk/protocol/limits.ts";
import { invalid } from "./faults.ts";

/** Why somebody asks for an end, or gives an attempt back, in a few words. */
export function checkReason(reason: string | undefined): string {
  if (reason === undefined) return "cancelled";
  const isPlain = typeof reason === "string" && reason.isWellFormed() && !reason.includes("\0");
  if (isPlain && reason.length <= limits.errorMessageBytesMax) return reason;
  throw invalid("reason", "must be a short, well-formed string");
}
