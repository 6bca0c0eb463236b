import { once } from "node:events";
import { connect } from "kantoku";
// By themselves: a worker needs nothing else of the runtime, which takes half a second to load.
import { createJsonLog } from "../../runtime/ports/log.ts";
import { startTelemetry } from "../../runtime/telemetry/sdk.ts";
import { auditPackage, listPackages, writeReport } from "./tasks.ts";

/** Packages at once: reading folders keeps a disk and a core busy, not dozens of slots. */
const slots = 4;

const [url, name] = process.argv.slice(2);
if (url === undefined || name === undefined || process.send === undefined) {
  throw new Error("this program is started by main.ts");
}

// The channel closes when the main process dies: no worker outlives it.
process.once("disconnect", () => process.exit());
if (!process.connected) process.exit();
// A terminal's Ctrl-C reaches the whole group, but here the main process says when to stop.
process.on("SIGINT", () => {});
const toldToStop = once(process, "message");

const telemetry = await startTelemetry({
  serviceName: "licence-audit-worker",
  log: createJsonLog("warn"),
});
const kantoku = await connect(url);
const worker = await kantoku.work([listPackages, auditPackage, writeReport], { name, slots });
process.send(worker.id);

await toldToStop;
await worker.drain();
await kantoku.close();
await telemetry.stop();
process.exit();
