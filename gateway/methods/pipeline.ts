import { z } from "zod";
import { method } from "./method.ts";
import { anything, graph, name, pageLimit } from "./values.ts";
import { pipelineView } from "./views.ts";

const register = method({
  name: "pipeline.register",
  summary: "Makes a graph known by a name; the same body is the same version, registered once.",
  params: z.strictObject({
    name,
    graph,
    inputSchema: z.exactOptional(anything),
    outputSchema: z.exactOptional(anything),
  }),
  result: pipelineView,
  errors: ["invalid-definition", "too-large"],
  handle: (params, { session }) => session.service.registerPipeline(params),
});

const get = method({
  name: "pipeline.get",
  summary: "A registered pipeline: the version asked for, or the one registered last.",
  params: z.strictObject({ name, version: z.exactOptional(name) }),
  result: pipelineView,
  errors: ["not-found"],
  handle: (params, call) => call.session.readOne(call, (service) => service.getPipeline(params)),
});

const list = method({
  name: "pipeline.list",
  summary: "The pipelines of the namespace in pages, by name, each in the version registered last.",
  params: z.strictObject({
    limit: z.exactOptional(pageLimit),
    cursor: z.exactOptional(name),
  }),
  result: z.object({ pipelines: z.array(pipelineView), cursor: z.exactOptional(z.string()) }),
  handle: (params, call) =>
    call.session.read(call, (service) => service.listPipelines(params, call.session)),
});

export const pipelineMethods = [register, get, list];
