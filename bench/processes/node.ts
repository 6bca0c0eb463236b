import { silentLog, start } from "kantoku/runtime";
import { noop } from "../definitions.ts";

/** A node with a worker for no-op tasks; says when it serves. */
const [databaseUrl = "", slots = "1000"] = process.argv.slice(2);
const kantoku = await start({
  databaseUrl,
  definitions: [noop],
  slots: Number(slots),
  log: silentLog,
});
process.once("SIGTERM", () => void kantoku.close().then(() => process.exit(0)));
process.on("disconnect", () => process.exit(1));
process.send?.({ pid: process.pid });
