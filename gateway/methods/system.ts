import { z } from "zod";
import { method } from "./method.ts";
import { nothing } from "./values.ts";
import { finding } from "./views.ts";

const doctor = method({
  name: "system.doctor",
  summary: "Checks the invariants in the database; each finding is a broken one.",
  params: nothing,
  result: z.object({ findings: z.array(finding) }),
  handle: (_params, call) => call.session.examine(call, (service) => service.doctor(call.session)),
});

export const systemMethods = [doctor];
