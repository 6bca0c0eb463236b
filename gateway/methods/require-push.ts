import { KantokuError } from "../../sdk/errors.ts";
import type { Push } from "../push.ts";
import type { SessionCall } from "../session.ts";

/** @throws KantokuError `invalid-request` where the peer can only be answered, as over HTTP. */
export function requirePush({ session }: SessionCall, name: string): Push {
  if (session.push !== null) return session.push;
  const message = `${name} sends messages later: call it over a WebSocket, not over HTTP`;
  throw new KantokuError("invalid-request", message);
}
