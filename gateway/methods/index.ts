import { z } from "zod";
import { attemptMethods } from "./attempt.ts";
import { type Method, method } from "./method.ts";
import { toOpenRpc } from "./openrpc.ts";
import { pipelineMethods } from "./pipeline.ts";
import { sessionMethods } from "./session.ts";
import { systemMethods } from "./system.ts";
import { taskMethods } from "./task.ts";
import { nothing } from "./values.ts";
import { workerMethods } from "./worker.ts";

const discover = method({
  name: "rpc.discover",
  summary: "This description, as an OpenRPC document.",
  params: nothing,
  result: z.record(z.string(), z.unknown()),
  handle: () => openRpc(),
});

/** Every method that the gateway serves. */
export const methods: readonly Method[] = [
  discover,
  ...sessionMethods,
  ...taskMethods,
  ...pipelineMethods,
  ...workerMethods,
  ...attemptMethods,
  ...systemMethods,
];

let described: ReturnType<typeof toOpenRpc> | undefined;

function openRpc(): ReturnType<typeof toOpenRpc> {
  described ??= toOpenRpc(methods);
  return described;
}
