import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { accountFor } from "../../runtime/embedded/account.ts";
import type { TestServer } from "./database.ts";
import { freePort } from "./free-port.ts";

/** Where Debian's packages, and those of postgresql.org, put a major version. */
function binFolder(major: number): string {
  return `/usr/lib/postgresql/${major}/bin`;
}

export function hasInstalledPostgres(major: number): boolean {
  return existsSync(join(binFolder(major), "initdb"));
}

/** A server of the machine's own PostgreSQL, with durable settings as they come. */
export async function startInstalledPostgres(major: number): Promise<TestServer> {
  const bin = binFolder(major);
  const folder = await mkdtemp(join(tmpdir(), `kantoku-test-${major}-`));
  const account = accountFor(folder);
  if (account !== undefined) await chown(folder, account.uid, account.gid);
  const options = { ...account, cwd: folder };

  await promisify(execFile)(
    join(bin, "initdb"),
    ["-D", folder, "-U", "kantoku", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"],
    options,
  );
  const port = await freePort();
  const settings = [`port=${port}`, "listen_addresses=127.0.0.1", "unix_socket_directories="];
  const server = spawn(
    join(bin, "postgres"),
    ["-D", folder, ...settings.flatMap((setting) => ["-c", setting])],
    { ...options, stdio: ["ignore", "ignore", "pipe"] },
  );
  const lines = createInterface({ input: server.stderr });
  for await (const line of lines) if (line.includes("ready to accept connections")) break;
  server.stderr.resume();

  return {
    url: `postgres://kantoku@127.0.0.1:${port}/postgres`,
    async stop() {
      const exited = once(server, "exit");
      // Fast shutdown: sessions are ended, data files are closed well.
      server.kill("SIGINT");
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
