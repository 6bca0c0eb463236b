import { z } from "zod";
import { limits } from "../../sdk/protocol/limits.ts";
import type { Session } from "../session.ts";
import { method } from "./method.ts";
import { name, nothing, text } from "./values.ts";
import { empty } from "./views.ts";

const open = method({
  name: "session.open",
  summary:
    "Says who calls, for which namespace, and whether a tick's messages travel as one array.",
  params: z.strictObject({
    clientId: z.exactOptional(text(200)),
    clientSecret: z.exactOptional(text(1000)),
    namespace: z.exactOptional(name),
    batching: z.exactOptional(z.boolean()),
  }),
  result: z.object({
    session: z.string(),
    client: z.nullable(z.string()),
    namespace: z.string(),
    limits: z.record(z.string(), z.int()),
  }),
  errors: ["conflict"],
  handle: ({ namespace, batching }, { session }) => {
    session.enter(namespace ?? session.namespace);
    if (batching !== undefined && session.push !== null) {
      session.push.outbox.isBatching = batching;
    }
    return {
      session: session.id,
      client: null,
      namespace: session.namespace,
      limits: toLimits(session),
    };
  },
});

const ping = method({
  name: "session.ping",
  summary: "Answers at once, and touches nothing: for peers that cannot send a WebSocket ping.",
  params: nothing,
  result: empty,
  handle: () => ({}),
});

function toLimits({ bounds }: Session): Readonly<Record<string, number>> {
  const { inFlightCallsMax, subscriptionsMax, workersMax, pingMs } = bounds;
  return { ...limits, inFlightCallsMax, subscriptionsMax, workersMax, pingMs };
}

export const sessionMethods = [open, ping];
