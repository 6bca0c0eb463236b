import { once } from "node:events";
import { createServer } from "node:net";
import { createGateway, type Gateway } from "../gateway/index.ts";
import { assertLoopback } from "../gateway/loopback.ts";
import {
  createJsonLog,
  type Log,
  type Node,
  openNode,
  startTelemetry,
  type Telemetry,
} from "../runtime/index.ts";
import { withDatabaseNamed } from "./given-database.ts";
import type { ServerSettings } from "./settings.ts";

/** A runtime and the gateway before it. */
export interface Server {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly database: "embedded" | "given";
  /** Where the embedded database lives. */
  readonly dataDir?: string;
  /** Closes the gateway, drains the node, leaves the embedded database, sends the last telemetry. */
  close(): Promise<void>;
}

/**
 * Starts a server in this process; resolves when it takes calls.
 * @throws KantokuError `forbidden` for a host that is not loopback; the system's error for a taken port
 */
export async function startServer(
  settings: ServerSettings,
  log: Log = createJsonLog(),
): Promise<Server> {
  const { host, port, allowedOrigins, databaseUrl, dataDir } = settings;
  // Both would be found out by the gateway, but only after a database had been set up for nothing.
  assertLoopback(host);
  await assertPortIsFree({ host, port });
  const telemetry = await startTelemetry({ serviceName: "kantoku", log });
  try {
    const node = await opened(openNode({ ...settings, log }), databaseUrl);
    const gateway = await gatewayBefore(node, { host, port, allowedOrigins, log });
    let closing: Promise<void> | undefined;
    return {
      ...gateway.address,
      ...(databaseUrl === undefined ? { database: "embedded", dataDir } : { database: "given" }),
      close: () => {
        closing ??= closeAll({ gateway, node, telemetry });
        return closing;
      },
    };
  } catch (error) {
    await telemetry.stop();
    throw error;
  }
}

/** The store says what is wrong; which database it is about, only the settings know. */
async function opened(node: Promise<Node>, databaseUrl: string | undefined): Promise<Node> {
  return databaseUrl === undefined ? node : withDatabaseNamed(node, databaseUrl);
}

async function gatewayBefore(
  node: Node,
  options: Pick<ServerSettings, "host" | "port" | "allowedOrigins"> & { readonly log: Log },
): Promise<Gateway> {
  try {
    return await createGateway({ ...options, service: node.service, ready: node.isReady });
  } catch (error) {
    await node.stop();
    throw error;
  }
}

async function closeAll({
  gateway,
  node,
  telemetry,
}: {
  gateway: Gateway;
  node: Node;
  telemetry: Telemetry;
}): Promise<void> {
  try {
    await gateway.close().finally(() => node.stop());
  } finally {
    await telemetry.stop();
  }
}

async function assertPortIsFree(address: { host: string; port: number }): Promise<void> {
  if (address.port === 0) return;
  const probe = createServer().listen(address);
  await once(probe, "listening");
  probe.close();
  await once(probe, "close");
}
