import type { Command } from "commander";
import { createJsonLog, type Log } from "../../runtime/ports/log.ts";
import { addExamples, settingOption } from "../options.ts";
import { print } from "../output/terminal.ts";
import type { Server } from "../server.ts";
import { type Flags, readServerSettings } from "../settings.ts";

type DevFlags = Flags & { readonly json?: true };

export function addDevCommand(program: Command): void {
  const dev = program
    .command("dev")
    .description("Start a server (runtime and gateway) and stay up until SIGINT or SIGTERM")
    .addOption(settingOption("port", "port", "to listen on; 0 takes a free one; 7400 unless given"))
    .addOption(settingOption("host", "host", "to listen on, loopback only; 127.0.0.1 unless given"))
    .addOption(
      settingOption("dataDir", "folder", "of the embedded database; .kantoku unless given"),
    )
    .addOption(settingOption("databaseUrl", "url", "of a PostgreSQL in place of the embedded one"))
    .addOption(settingOption("allowedOrigins", "list", "origins of web pages that may connect"))
    .addOption(
      settingOption(
        "retention",
        "duration",
        "how long ended tasks are kept; for ever unless given",
      ),
    )
    .addOption(
      settingOption(
        "nodeLease",
        "duration",
        "a server silent for so long is dead; 10s unless given",
      ),
    )
    .addOption(
      settingOption(
        "workerLease",
        "duration",
        "a worker silent for so long is lost; 10s unless given",
      ),
    )
    .addOption(
      settingOption(
        "heartbeat",
        "duration",
        "between two signs of a worker's life; 3s unless given",
      ),
    )
    .option("--json", "say where it listens as one JSON object")
    .action(runDev);
  addExamples(dev, [
    "ktk dev",
    "ktk dev --port 0 --json",
    "ktk dev --database-url postgres://kantoku@localhost/kantoku --retention 7d",
  ]);
}

async function runDev(flags: DevFlags): Promise<void> {
  const log = createJsonLog();
  logWarnings(log);
  const settings = await readServerSettings(flags);
  outliveMistakes(log);
  const stopping = stopSignal();
  // Only here: the runtime takes half a second to load, and other commands are clients.
  const { startServer } = await import("../server.ts");
  const server = await startServer(settings, log);
  announce(server, flags);
  const signal = await stopping;
  log.info("server stops", { signal });
  await server.close();
  log.info("server stopped");
}

function announce({ url, host, port, database, dataDir }: Server, { json }: DevFlags): void {
  const facts = { event: "listening", url, host, port, pid: process.pid, database, dataDir };
  print(json ? JSON.stringify(facts) : `kantoku listening on ${url}`);
}

const signals = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

/** Resolves with the first signal to stop; a second one ends the process at once. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isStopping = false;
    for (const [signal, number] of Object.entries(signals)) {
      process.on(signal, () => {
        if (isStopping) process.exit(128 + number);
        isStopping = true;
        resolve(signal as NodeJS.Signals);
      });
    }
  });
}

/** Node would write its warnings between the log's lines, where no program could read them. */
function logWarnings(log: Log): void {
  process.removeAllListeners("warning");
  process.on("warning", (warning) => log.warn("node warns", { warning }));
}

/**
 * A promise that nobody awaited belongs to one call: the others should not pay for it. After an
 * exception that nobody caught, anything may be half done: better to start again from the journal.
 */
function outliveMistakes(log: Log): void {
  process.on("unhandledRejection", (error) => log.error("a rejection was not handled", { error }));
  process.on("uncaughtException", (error) => {
    log.error("an exception was not caught; the server ends", { error, stack: error.stack });
    process.exit(1);
  });
}
