/** A node with its gateway: `ktk dev`, but it tells its parent, and ends with it. */
import { type Server, startServer } from "../../../cli/server.ts";
import { type ServerSettings, serverDefaults } from "../../../cli/settings.ts";

export type NodeSettings = Partial<ServerSettings>;

process.once("disconnect", () => process.exit(1));
const settings = JSON.parse(process.argv[2] ?? "{}") as NodeSettings;
const server: Server = await startServer({ ...serverDefaults, port: 0, ...settings });
process.once("SIGTERM", () => void server.close().then(() => process.exit(0)));
process.send?.({ url: server.url, port: server.port });
