import { resolve } from "node:path";
import { configFileName, loadConfig } from "./config-file.ts";
import {
  type Reading,
  readDatabaseUrl,
  readDuration,
  readGatewayUrls,
  readHost,
  readLease,
  readNamespace,
  readOrigins,
  readPort,
  readRetention,
  readText,
} from "./setting-values.ts";
import { UsageError } from "./usage-error.ts";

/** Every setting, by its name in `kantoku.config.ts`: its flag, its variable, and how it is read. */
export const settings = {
  databaseUrl: setting("--database-url", "KANTOKU_DATABASE_URL", readDatabaseUrl),
  dataDir: setting("--data-dir", "KANTOKU_DATA_DIR", readText),
  host: setting("--host", "KANTOKU_HOST", readHost),
  port: setting("--port", "KANTOKU_PORT", readPort),
  allowedOrigins: setting("--allowed-origins", "KANTOKU_ALLOWED_ORIGINS", readOrigins),
  retention: setting("--retention", "KANTOKU_RETENTION", readRetention),
  nodeLease: setting("--node-lease", "KANTOKU_NODE_LEASE", readLease),
  workerLease: setting("--worker-lease", "KANTOKU_WORKER_LEASE", readLease),
  heartbeat: setting("--heartbeat", "KANTOKU_HEARTBEAT", readDuration),
  url: setting("--url", "KANTOKU_URL", readGatewayUrls),
  namespace: setting("--namespace", "KANTOKU_NAMESPACE", readNamespace),
  answerTimeout: setting("--answer-timeout", "KANTOKU_ANSWER_TIMEOUT", readDuration),
} as const;

export type SettingName = keyof typeof settings;

/** What a command's flags gave, by setting. */
export type Flags = { readonly [Name in SettingName]?: string | undefined };

export interface ServerSettings {
  /** Absent: the embedded database, in `dataDir`. */
  readonly databaseUrl?: string;
  readonly dataDir: string;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly allowedOrigins: readonly string[];
  /** null keeps everything. */
  readonly retentionMs: number | null;
  readonly nodeLeaseMs: number;
  readonly workerLeaseMs: number;
  readonly heartbeatMs: number;
}

export interface ClientSettings {
  readonly urls: readonly string[];
  readonly namespace?: string;
  /** How long a call may stay unanswered; waits for tasks have ends of their own. */
  readonly answerTimeoutMs?: number;
}

export const serverDefaults: ServerSettings = {
  dataDir: resolve(".kantoku"),
  host: "127.0.0.1",
  port: 7400,
  allowedOrigins: [],
  retentionMs: null,
  nodeLeaseMs: 10_000,
  workerLeaseMs: 10_000,
  heartbeatMs: 3_000,
};

/** @throws UsageError that names the setting */
export async function readServerSettings(flags: Flags): Promise<ServerSettings> {
  const given = await Sources.gather(flags);
  const databaseUrl = given.read("databaseUrl");
  const workerLeaseMs = given.read("workerLease") ?? serverDefaults.workerLeaseMs;
  return {
    ...(databaseUrl !== undefined && { databaseUrl }),
    dataDir: resolve(given.read("dataDir") ?? serverDefaults.dataDir),
    host: given.read("host") ?? serverDefaults.host,
    port: given.read("port") ?? serverDefaults.port,
    allowedOrigins: given.read("allowedOrigins") ?? serverDefaults.allowedOrigins,
    retentionMs: given.read("retention") ?? serverDefaults.retentionMs,
    nodeLeaseMs: given.read("nodeLease") ?? serverDefaults.nodeLeaseMs,
    workerLeaseMs,
    heartbeatMs: readHeartbeat(given, workerLeaseMs),
  };
}

/** @throws UsageError that names the setting */
export async function readClientSettings(flags: Flags): Promise<ClientSettings> {
  const given = await Sources.gather(flags);
  const namespace = given.read("namespace");
  const answerTimeoutMs = given.read("answerTimeout");
  return {
    urls: given.read("url") ?? [urlOfServer(given)],
    ...(namespace !== undefined && { namespace }),
    ...(answerTimeoutMs !== undefined && { answerTimeoutMs }),
  };
}

/** A server that was set up here is looked for where it was told to listen. */
function urlOfServer(given: Sources): string {
  const host = given.read("host") ?? serverDefaults.host;
  const port = given.read("port") || serverDefaults.port;
  return `ws://${host.includes(":") ? `[${host}]` : host}:${port}/rpc`;
}

/** A shorter lease with the usual heartbeat would lose healthy workers: three beats must fit. */
function readHeartbeat(given: Sources, workerLeaseMs: number): number {
  const asked = given.read("heartbeat");
  if (asked === undefined)
    return Math.min(serverDefaults.heartbeatMs, Math.floor(workerLeaseMs / 3));
  if (asked < workerLeaseMs) return asked;
  throw new UsageError(
    `${given.nameOf("heartbeat")} must be shorter than the worker lease of ${workerLeaseMs} ms`,
  );
}

/** Where settings come from, the first that has one wins: flags, environment, config file. */
class Sources {
  readonly #flags: Flags;
  readonly #config: Readonly<Record<string, unknown>>;

  private constructor(flags: Flags, config: Readonly<Record<string, unknown>>) {
    this.#flags = flags;
    this.#config = config;
  }

  static async gather(flags: Flags): Promise<Sources> {
    const config = await loadConfig(process.cwd());
    const unknown = Object.keys(config).find((name) => !Object.hasOwn(settings, name));
    if (unknown === undefined) return new Sources(flags, config);
    const known = Object.keys(settings).join(", ");
    throw new UsageError(`${configFileName}: ${unknown} is not a setting (known: ${known})`);
  }

  read<Name extends SettingName>(name: Name): ValueOf<Name> | undefined {
    const found = this.#find(name);
    if (found === undefined) return undefined;
    try {
      return settings[name].read(found.value) as ValueOf<Name>;
    } catch (fault) {
      throw new UsageError(`${found.from} ${(fault as Error).message}`);
    }
  }

  /** What the user calls the setting there where it was given. */
  nameOf(name: SettingName): string {
    return this.#find(name)?.from ?? settings[name].variable;
  }

  #find(name: SettingName): { readonly value: unknown; readonly from: string } | undefined {
    const { flag, variable } = settings[name];
    const candidates = [
      { value: this.#flags[name], from: flag },
      // Files of variables often list one without a value: that is not given.
      { value: process.env[variable] || undefined, from: variable },
      { value: this.#config[name], from: `${configFileName}: ${name}` },
    ];
    return candidates.find(({ value }) => value !== undefined);
  }
}

type ValueOf<Name extends SettingName> = ReturnType<(typeof settings)[Name]["read"]>;

function setting<Value>(flag: string, variable: string, read: Reading<Value>) {
  return { flag, variable, read };
}
