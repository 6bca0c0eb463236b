/** What the server is started with, on its command line, where `alter system` cannot soften it. */
export const serverSettings: Readonly<Record<string, string>> = {
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",

  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "100",

  wal_level: "minimal",
  max_wal_senders: "0",
  max_wal_size: "4GB",
  checkpoint_timeout: "15min",

  autovacuum: "on",
  autovacuum_naptime: "10s",
  jit: "off",

  logging_collector: "off",
  log_line_prefix: "%m [%p] ",
};

/** Tried in turn: containers may cap shared memory far below what the machine has. */
export const sharedBufferSizes = ["256MB", "64MB", "16MB"] as const;

/** The major version whose files the packaged binaries can read. */
export const postgresMajor = "18";

export const superuser = "kantoku";
export const databaseName = "postgres";

export function commandLine(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}
