import { z } from "zod";
import { KantokuError } from "../../sdk/errors.ts";
import { limits } from "../../sdk/protocol/limits.ts";
import type { SessionCall } from "../session.ts";
import { method } from "./method.ts";
import { requirePush } from "./require-push.ts";
import { anything, durationMs, id, labels, name, pageLimit, retry, text } from "./values.ts";
import { empty, keepAndDrop, workerView } from "./views.ts";

const servedDefinition = z.strictObject({
  name,
  version: z.exactOptional(name),
  retry: z.exactOptional(retry),
  timeoutMs: z.exactOptional(durationMs),
  attemptTimeoutMs: z.exactOptional(durationMs),
  inputSchema: z.exactOptional(anything),
});

const heldTokens = z.array(id).max(limits.slotsMax);

const register = method({
  name: "worker.register",
  summary: "Makes this connection a worker's: attempts are assigned to it from now on.",
  params: z.strictObject({
    name: z.exactOptional(name),
    instance: text(200),
    worker: z.exactOptional(id),
    definitions: z.array(servedDefinition).max(limits.definitionsPerWorkerMax),
    slots: z.int().min(1).max(limits.slotsMax),
    labels: z.exactOptional(labels),
    attempts: z.exactOptional(heldTokens),
  }),
  result: keepAndDrop.extend({ worker: z.string(), leaseMs: z.int(), heartbeatMs: z.int() }),
  errors: ["invalid-definition", "quota-exceeded", "invalid-request"],
  handle: (params, call) =>
    requirePush(call, "worker.register").workers.register(call.session.service, { params, call }),
});

const heartbeat = method({
  name: "worker.heartbeat",
  summary: "Renews the worker's lease and settles which attempts it holds.",
  params: z.strictObject({ worker: id, attempts: heldTokens }),
  result: keepAndDrop,
  errors: ["not-found"],
  handle: (params, call) => {
    requireOwn(call, "worker.heartbeat", params.worker);
    return call.session.service.heartbeat(params);
  },
});

const drain = method({
  name: "worker.drain",
  summary: "No new attempts for this worker; those it holds go on.",
  params: z.strictObject({ worker: id }),
  result: empty,
  errors: ["not-found"],
  handle: (params, call) => {
    requireOwn(call, "worker.drain", params.worker);
    return call.session.service.drainWorker(params);
  },
});

const list = method({
  name: "worker.list",
  summary: "The workers of the namespace in pages, the oldest first.",
  params: z.strictObject({
    limit: z.exactOptional(pageLimit),
    cursor: z.exactOptional(id),
  }),
  result: z.object({ workers: z.array(workerView), cursor: z.exactOptional(z.string()) }),
  handle: (params, call) =>
    call.session.read(call, (service) => service.listWorkers(params, call.session)),
});

/**
 * A worker is its name's, and so has the same id in the next process: whoever was replaced does not
 * speak for it any more.
 */
function requireOwn(call: SessionCall, name: string, worker: string): void {
  if (requirePush(call, name).workers.holds(worker)) return;
  throw new KantokuError("not-found", `worker ${worker} is not registered on this connection`, {
    data: { worker },
  });
}

export const workerMethods = [register, heartbeat, drain, list];
