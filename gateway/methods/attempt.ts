import { z } from "zod";
import { method } from "./method.ts";
import { anything, id, name, taskError, text } from "./values.ts";
import { empty, recorded } from "./views.ts";

const token = { token: id };

const complete = method({
  name: "attempt.complete",
  summary: "The attempt's output. Sent again until answered; a repeat is answered `recorded` too.",
  params: z.strictObject({ ...token, output: z.exactOptional(anything) }),
  result: recorded,
  errors: ["not-found", "too-large"],
  handle: (params, { session }) => session.service.complete(params),
});

const fail = method({
  name: "attempt.fail",
  summary: "The attempt's error. Sent again until answered, as attempt.complete.",
  params: z.strictObject({ ...token, error: taskError }),
  result: recorded,
  errors: ["not-found", "too-large"],
  handle: (params, { session }) => session.service.fail(params),
});

const refuse = method({
  name: "attempt.refuse",
  summary: "The worker cannot take the attempt; another may, and no retry is used up.",
  params: z.strictObject({ ...token, reason: text(1024) }),
  result: recorded,
  errors: ["not-found"],
  handle: (params, { session }) => session.service.refuse(params),
});

const progress = method({
  name: "attempt.progress",
  summary: "How far the attempt is, in the author's words. Live, with the last value kept.",
  params: z.strictObject({ ...token, progress: anything }),
  result: empty,
  errors: ["not-found", "too-large"],
  handle: ({ token, progress }, { session }) => session.service.progress({ token, progress }),
});

const suspend = method({
  name: "attempt.suspend",
  summary: "The attempt waits for other tasks and needs no slot meanwhile, if that is accepted.",
  params: z.strictObject(token),
  result: z.object({ accepted: z.boolean() }),
  errors: ["not-found"],
  handle: (params, { session }) => session.service.suspend(params),
});

const resume = method({
  name: "attempt.resume",
  summary: "The attempt goes on, with or without a free slot.",
  params: z.strictObject(token),
  result: empty,
  errors: ["not-found"],
  handle: (params, { session }) => session.service.resume(params),
});

const recordStep = method({
  name: "step.record",
  summary: "A step's outcome, once for each use of its name. Sent again until answered.",
  params: z
    .strictObject({
      ...token,
      step: name,
      occurrence: z.int().min(1).max(1_000_000),
      output: z.exactOptional(anything),
      error: z.exactOptional(taskError),
    })
    .refine((params) => !("output" in params && "error" in params), {
      error: "a step has an output or an error, not both",
    }),
  result: recorded,
  errors: ["not-found", "conflict", "too-large"],
  handle: (params, { session }) => session.service.recordStep(params),
});

export const attemptMethods = [complete, fail, refuse, progress, suspend, resume, recordStep];
