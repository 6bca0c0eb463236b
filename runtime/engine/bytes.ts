import type { TaskIdentity } from "../store/rows.ts";

/** What a new task brings with it, about: of JSON a character is a byte, nearly always. */
export function bytesOfIdentity({ input, labels, metadata, place }: TaskIdentity): number {
  return input.length + labels.length + metadata.length + (place?.graph?.length ?? 0);
}
