import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { afterAll } from "vitest";
import { openEmbeddedDatabase } from "../../runtime/embedded/index.ts";
import { startInstalledPostgres } from "./installed-postgres.ts";

export interface TestDatabase {
  readonly url: string;
  close(): Promise<void>;
}

export interface TestServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** 18 is the embedded one; 15 is the oldest supported, there only where the machine has it. */
export type PostgresMajor = 15 | 18;

const servers = new Map<PostgresMajor, Promise<TestServer>>();
let databases = 0;

/** A fresh, empty database; the test file's one server of its version stops after its last test. */
export async function openTestDatabase(major: PostgresMajor = 18): Promise<TestDatabase> {
  const server =
    servers.get(major) ?? (major === 18 ? startEmbedded() : startInstalledPostgres(major));
  servers.set(major, server);
  const { url } = await server;
  databases += 1;
  const name = `test_${databases}`;
  await asSuperuser(url, `create database ${name}`);
  const own = new URL(url);
  own.pathname = `/${name}`;
  return {
    url: own.href,
    close: () => asSuperuser(url, `drop database if exists ${name} with (force)`),
  };
}

async function startEmbedded(): Promise<TestServer> {
  const dataDir = await mkdtemp(join(tmpdir(), "kantoku-test-"));
  // As root, the database runs as another user, who has to reach it here.
  await chmod(dataDir, 0o755);
  const { url, leave } = await openEmbeddedDatabase({ dataDir });
  return {
    url,
    async stop() {
      await leave();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function asSuperuser(url: string, statement: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}

afterAll(async () => {
  const started = [...servers.values()];
  servers.clear();
  await Promise.all(started.map(async (server) => (await server).stop()));
});
