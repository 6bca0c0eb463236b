import { z } from "zod";
import { KantokuError } from "../../sdk/errors.ts";
import { limits } from "../../sdk/protocol/limits.ts";
import { taskStatuses } from "../../sdk/protocol/task.ts";
import type { SessionCall } from "../session.ts";
import { method } from "./method.ts";
import { requirePush } from "./require-push.ts";
import { underServerSpan } from "./server-span.ts";
import { submissionParams, toSubmission } from "./submission.ts";
import {
  id,
  instant,
  labels,
  name,
  pageLimit,
  seq,
  seqMax,
  status,
  taskParams,
  text,
  toRef,
  waitMs,
} from "./values.ts";
import { empty, graphView, journalEvent, runResult, taskView } from "./views.ts";

const outcomeErrors = [
  "task-failed",
  "task-cancelled",
  "task-timed-out",
  "task-quarantined",
] as const;

const submit = method({
  name: "task.submit",
  summary: "Makes a task durable and answers; under a known key, the task that the key made then.",
  params: submissionParams({}),
  result: z.object({
    id: z.string(),
    status,
    created: z.boolean(),
    tasks: z.exactOptional(z.record(z.string(), z.string())),
  }),
  errors: ["conflict", "mismatch", "too-large", "busy", "invalid-definition"],
  handle: (given, { session }) => {
    const params = toSubmission(given);
    return underServerSpan((traced) => session.service.submit(traced), {
      method: "task.submit",
      params,
    });
  },
});

const run = method({
  name: "task.run",
  summary: "Submits and waits for the outcome, or for waitMs, whichever is first.",
  params: submissionParams({ waitMs: z.exactOptional(waitMs) }),
  result: runResult,
  errors: ["conflict", "mismatch", "too-large", "busy", "invalid-definition", ...outcomeErrors],
  handle: (given, call) => {
    const params = { ...toSubmission(given), waitMs: wait(given, call) };
    const { service } = call.session;
    return underServerSpan((traced) => service.run(traced, call.session), {
      method: "task.run",
      params,
    });
  },
});

const get = method({
  name: "task.get",
  summary: "One task, and why it does not run if it does not.",
  params: taskParams({}),
  result: taskView,
  errors: ["not-found"],
  handle: (params, call) => call.session.readOne(call, (service) => service.get(toRef(params))),
});

const list = method({
  name: "task.list",
  summary: "Tasks of the namespace in pages, newest first unless asked otherwise.",
  params: z.strictObject({
    status: z.exactOptional(
      // A union by itself says no more than that the input is invalid.
      z.union([status, z.array(status).min(1).max(11)], {
        error: `must be one of ${taskStatuses.join(", ")}, or a list of these`,
      }),
    ),
    definition: z.exactOptional(name),
    labels: z.exactOptional(labels),
    createdAfter: z.exactOptional(instant),
    createdBefore: z.exactOptional(instant),
    root: z.exactOptional(id),
    restartRoot: z.exactOptional(id),
    orderBy: z.exactOptional(z.enum(["createdAt", "-createdAt"])),
    limit: z.exactOptional(pageLimit),
    cursor: z.exactOptional(text(1000)),
  }),
  result: z.object({ tasks: z.array(taskView), cursor: z.exactOptional(z.string()) }),
  errors: ["response-too-large"],
  handle: (params, call) =>
    call.session.read(call, (service) => service.list(params, call.session)),
});

const result = method({
  name: "task.result",
  summary: "Waits for a task's outcome, or for waitMs, whichever is first.",
  params: taskParams({ waitMs: z.exactOptional(waitMs) }),
  result: runResult,
  errors: ["not-found", ...outcomeErrors],
  handle: (params, call) =>
    call.session.service.result({ ...toRef(params), waitMs: wait(params, call) }, call.session),
});

const events = method({
  name: "task.events",
  summary: "A page of a task's journal after a seq.",
  params: taskParams({
    after: z.exactOptional(seq),
    limit: z.exactOptional(pageLimit),
  }),
  result: z.object({ events: z.array(journalEvent), next: z.exactOptional(seq) }),
  errors: ["not-found", "response-too-large"],
  handle: ({ after, limit, ...ref }, call) => {
    const params = {
      ...toRef(ref),
      ...(after !== undefined && { after }),
      ...(limit !== undefined && { limit }),
    };
    return call.session.read(call, (service) => service.events(params, call.session));
  },
});

const notACursor = "is not a cursor of a task's subscription";
const cursor = z
  .string()
  .regex(/^\d{1,10}$/, { error: notACursor })
  .refine((text) => Number(text) <= seqMax, { error: notACursor });

const subscribe = method({
  name: "task.subscribe",
  summary: "A task's journal after a seq or cursor as notifications: history first, then live.",
  params: taskParams({
    after: z.exactOptional(z.union([seq, cursor], { error: "must be a seq or a cursor" })),
  }),
  result: z.object({ subscription: z.string() }),
  errors: ["not-found", "quota-exceeded", "invalid-request"],
  refuse: (params) => {
    if (!(Array.isArray(params) || "id" in params || "key" in params))
      throw notServed("Filtered subscriptions are");
  },
  handle: ({ after, ...ref }, call) => {
    const { subscriptions } = requirePush(call, "task.subscribe");
    const params = { ...toRef(ref), ...(after !== undefined && { after: Number(after) }) };
    return call.session.readOne(call, (service) =>
      subscriptions.subscribe(service, { params, call }),
    );
  },
});

const unsubscribe = method({
  name: "task.unsubscribe",
  summary: "Ends a subscription; one that has ended already is no error.",
  params: z.strictObject({ subscription: id }),
  result: empty,
  errors: ["invalid-request"],
  handle: ({ subscription }, call) => {
    requirePush(call, "task.unsubscribe").subscriptions.unsubscribe(subscription);
    return {};
  },
});

const cancel = method({
  name: "task.cancel",
  summary: "Asks a task to end; the outcome is in its status and journal.",
  params: taskParams({ reason: z.exactOptional(text(1024)) }),
  result: z.object({ status, accepted: z.boolean() }),
  errors: ["not-found"],
  handle: ({ reason, ...ref }, { session }) =>
    session.service.cancel({ ...toRef(ref), ...(reason !== undefined && { reason }) }),
});

const restart = method({
  name: "task.restart",
  summary: "Does again what failed: in place, or as a new tree from the root or from a task of it.",
  params: taskParams({
    mode: z.exactOptional(z.enum(["inPlace", "newTree"])),
    from: z.exactOptional(id),
  }),
  result: z.object({ id: z.string(), restarted: z.int() }),
  errors: ["not-found", "conflict", "busy"],
  handle: ({ mode, from, ...ref }, { session }) =>
    session.service.restart({
      ...toRef(ref),
      ...(mode !== undefined && { mode }),
      ...(from !== undefined && { from }),
    }),
});

const graph = method({
  name: "task.graph",
  summary: "The tree that a task is in, from its root: all tasks, and who waits for whom.",
  params: taskParams({}),
  result: graphView,
  errors: ["not-found", "response-too-large"],
  handle: (params, call) => call.session.read(call, (service) => service.graph(toRef(params))),
});

/** Nothing waits for ever: a connection that lives for months would gather dead waits. */
function wait({ waitMs }: { readonly waitMs?: number }, call: SessionCall): number {
  const waitedMs = waitMs ?? limits.waitMsMax;
  call.waitFor(waitedMs);
  return waitedMs;
}

function notServed(what: string): KantokuError {
  return new KantokuError("method-not-found", `${what} not served yet`);
}

export const taskMethods = [
  submit,
  run,
  get,
  graph,
  list,
  result,
  events,
  subscribe,
  unsubscribe,
  cancel,
  restart,
];
