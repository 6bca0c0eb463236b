import { silentLog } from "kantoku/runtime";
import { startServer } from "../../cli/server.ts";
import { serverDefaults } from "../../cli/settings.ts";

/** A server over the given database on a free port; says its URL and stays until told to end. */
const databaseUrl = process.argv[2] ?? "";
const server = await startServer({ ...serverDefaults, port: 0, databaseUrl }, silentLog);
process.once("SIGTERM", () => void server.close().then(() => process.exit(0)));
process.on("disconnect", () => process.exit(1));
process.send?.({ url: server.url });
