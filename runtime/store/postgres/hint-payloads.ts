import type { Hint } from "../store.ts";

/** PostgreSQL refuses payloads of 8000 bytes and more; the rest is room for the JSON around. */
const payloadBytesMax = 7_500;
/** Ids take 39 bytes each in JSON. */
const tasksMax = 150;

/** As few payloads as will hold these hints; equal hints are sent once. */
export function payloadsOf(hints: readonly Hint[]): string[] {
  const texts = new Set(hints.flatMap(divided).map((hint) => JSON.stringify(hint)));
  const payloads: string[] = [];
  let gathered: string[] = [];
  let bytes = 0;
  for (const text of texts) {
    const textBytes = Buffer.byteLength(text) + 1;
    if (bytes + textBytes > payloadBytesMax && gathered.length > 0) {
      payloads.push(`[${gathered.join(",")}]`);
      gathered = [];
      bytes = 0;
    }
    gathered.push(text);
    bytes += textBytes;
  }
  if (gathered.length > 0) payloads.push(`[${gathered.join(",")}]`);
  return payloads;
}

/** Newer nodes may say things that this one does not know: those are dropped. */
export function hintsIn(payload: string): Hint[] {
  try {
    const hints: unknown = JSON.parse(payload);
    return Array.isArray(hints) ? hints.filter(isHint) : [];
  } catch {
    return [];
  }
}

function divided(hint: Hint): Hint[] {
  if (hint.about !== "watched" || hint.tasks.length <= tasksMax) return [hint];
  const parts: Hint[] = [];
  for (let start = 0; start < hint.tasks.length; start += tasksMax) {
    parts.push({ ...hint, tasks: hint.tasks.slice(start, start + tasksMax) });
  }
  return parts;
}

function isHint(value: unknown): value is Hint {
  if (typeof value !== "object" || value === null || !("about" in value)) return false;
  return value.about === "ready" || value.about === "mail" || value.about === "watched";
}
