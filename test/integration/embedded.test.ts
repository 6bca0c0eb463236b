import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import type { Sql } from "postgres";
import postgres from "postgres";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { accountFor } from "../../runtime/embedded/account.ts";
import { clusterFolder, findHome } from "../../runtime/embedded/home.ts";
import { openEmbeddedDatabase, pgCtl } from "../../runtime/embedded/index.ts";
import { readAddress } from "../../runtime/embedded/messages.ts";
import { type Log, type LogFields, silentLog } from "../../runtime/ports/log.ts";
import {
  Application,
  cleanUp,
  cloneProject,
  deleteSeed,
  isRoot,
  isRunning,
  makeDataDir,
  makeFolder,
  makeSeededDataDir,
  processesOf,
  untilGone,
} from "./embedded-harness.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

const polling = { timeout: 15_000, interval: 5 };
const connections: Sql[] = [];

afterEach(async () => {
  await Promise.all(connections.map((sql) => sql.end({ timeout: 1 })));
  connections.length = 0;
  await cleanUp();
});

afterAll(deleteSeed);

describe("an embedded database", () => {
  it("starts durable, takes connections, and stops when its only user leaves", async () => {
    const dataDir = makeDataDir();
    const database = await openEmbeddedDatabase({ dataDir });
    const { keeper, postmaster } = processesOf(dataDir);

    const [settings] = await connect(database.url)`
      select current_setting('server_version_num')::int / 10000 as major,
        current_setting('fsync') as fsync, current_setting('full_page_writes') as full_page_writes,
        current_setting('synchronous_commit') as synchronous_commit,
        current_setting('listen_addresses') as listen_addresses`;
    expect(settings).toEqual({
      major: 18,
      fsync: "on",
      full_page_writes: "on",
      synchronous_commit: "on",
      listen_addresses: "127.0.0.1",
    });

    await database.leave();
    expect(isRunning(postmaster)).toBe(false);
    await untilGone(keeper);
    expect(readFileSync(join(homeOf(dataDir), "postgres.log"), "utf8")).toContain(
      "database system is shut down",
    );
  });

  it("lets nobody in without the password, which only its owner can read", async () => {
    const dataDir = await makeSeededDataDir();
    const database = await openEmbeddedDatabase({ dataDir });

    const url = new URL(database.url);
    url.password = "guessed";
    await expect(connect(url.href)`select 1`).rejects.toThrow("password authentication failed");
    expect(statSync(homeOf(dataDir)).mode & 0o077).toBe(0);
    expect(statSync(join(homeOf(dataDir), "password")).mode & 0o777).toBe(0o600);

    await database.leave();
  });

  it("is joined by a second process, and stops when the last of them leaves", async () => {
    const dataDir = await makeSeededDataDir();
    const database = await openEmbeddedDatabase({ dataDir });
    const { postmaster } = processesOf(dataDir);

    const application = new Application({ dataDir });
    expect(await application.url).toBe(database.url);
    await database.leave();
    expect(processesOf(dataDir).postmaster).toBe(postmaster);
    expect(isRunning(postmaster)).toBe(true);

    await application.leave();
    expect(isRunning(postmaster)).toBe(false);
  });

  it("is one server when several processes start it at once in an empty folder", async () => {
    const dataDir = makeDataDir();
    const starters = [1, 2, 3].map(() => new Application({ dataDir }));
    const database = await openEmbeddedDatabase({ dataDir });

    const urls = await Promise.all(starters.map(({ url }) => url));
    expect(new Set([...urls, database.url]).size).toBe(1);
    await connect(database.url)`select 1`;
    const log = readFileSync(join(homeOf(dataDir), "postgres.log"), "utf8");
    expect(log.match(/starting PostgreSQL/g)).toHaveLength(1);

    await Promise.all([database.leave(), ...starters.map((starter) => starter.leave())]);
  });

  it("serves whoever comes while the last user is leaving", async () => {
    const dataDir = await makeSeededDataDir();
    let database = await openEmbeddedDatabase({ dataDir });

    // Each round meets the stop a little later: before it, in it, and after the keeper is gone.
    for (let round = 0; round < 12; round += 1) {
      const leaving = database.leave();
      await Promise.race([leaving, ticks(round * 400)]);
      database = await openEmbeddedDatabase({ dataDir });
      expect(await connect(database.url)`select 1 as one`).toEqual([{ one: 1 }]);
      await leaving;
    }

    await database.leave();
  });
});

describe("the data of an embedded database", () => {
  it("survives kill -9 of the application, and the server outlives it by the grace", async () => {
    const dataDir = await makeSeededDataDir();
    const application = new Application({ dataDir, writes: true, graceMs: 200 });
    await application.hasWritten();
    const { keeper, postmaster } = processesOf(dataDir);

    await application.kill();
    await untilGone(keeper, postmaster);

    await expectAllWritten(dataDir, application);
  });

  it("survives Ctrl-C to the application's whole process group, as does the server", async () => {
    const dataDir = await makeSeededDataDir();
    const application = new Application({ dataDir, writes: true });
    await application.hasWritten();
    const { postmaster } = processesOf(dataDir);

    await application.interruptGroup();

    expect(isRunning(postmaster)).toBe(true);
    await expectAllWritten(dataDir, application);
    expect(isRunning(postmaster)).toBe(false);
  });

  it("survives kill -9 of application, keeper and server together", async () => {
    const dataDir = await makeSeededDataDir();
    const application = new Application({ dataDir, writes: true });
    await application.hasWritten();
    const { keeper, postmaster } = processesOf(dataDir);

    process.kill(keeper, "SIGKILL");
    process.kill(postmaster, "SIGKILL");
    await application.kill();

    await expectAllWritten(dataDir, application);
  });

  it("survives that also where another program has the dead server's pid by now", async () => {
    const dataDir = await makeSeededDataDir();
    const application = new Application({ dataDir, writes: true });
    await application.hasWritten();
    const { keeper, postmaster } = processesOf(dataDir);
    process.kill(keeper, "SIGKILL");
    process.kill(postmaster, "SIGKILL");
    await application.kill();
    await untilGone(keeper, postmaster);

    const stranger = spawn("sleep", ["60"], { ...findHome(dataDir)?.account, cwd: "/" });
    const pidFile = join(clusterFolder(homeOf(dataDir)), "postmaster.pid");
    writeFileSync(pidFile, readFileSync(pidFile, "utf8").replace(/^\d+/, String(stranger.pid)));

    await expectAllWritten(dataDir, application);
    expect(stranger.kill("SIGKILL")).toBe(true);
  });

  it("survives pg_ctl stop -m immediate: the server comes back under the same URL", async () => {
    const dataDir = await makeSeededDataDir();
    const database = await openEmbeddedDatabase({ dataDir });
    const sql = connect(database.url);
    await sql`create table kept as select 1 as id`;
    const { postmaster } = processesOf(dataDir);

    await pgCtl(dataDir, ["stop", "-m", "immediate"]);

    await expect
      .poll(() => sql`select id from kept`.catch(String), { timeout: 10_000 })
      .toEqual([{ id: 1 }]);
    expect(processesOf(dataDir).postmaster).not.toBe(postmaster);
    await database.leave();
  });
});

describe("the keeper", () => {
  it("is replaced when it is killed, and the new one adopts the running server", async () => {
    const dataDir = await makeSeededDataDir();
    const database = await openEmbeddedDatabase({ dataDir });
    const sql = connect(database.url);
    const [before] = await sql`select pg_backend_pid() as backend`;
    const { keeper, postmaster } = processesOf(dataDir);

    process.kill(keeper, "SIGKILL");

    await expect.poll(() => processesOf(dataDir).keeper, { timeout: 10_000 }).not.toBe(keeper);
    expect(await sql`select pg_backend_pid() as backend`).toEqual([before]);
    expect(processesOf(dataDir).postmaster).toBe(postmaster);
    await database.leave();
    await untilGone(postmaster);
  });

  it("when new, stops no server under users who have yet to find it", async () => {
    const dataDir = await makeSeededDataDir();
    const first = await openEmbeddedDatabase({ dataDir });
    const second = new Application({ dataDir });
    await second.url;
    const { keeper, postmaster } = processesOf(dataDir);

    second.freeze();
    process.kill(keeper, "SIGKILL");
    const leaving = first.leave();
    // Long enough for the first to find the new keeper, register and leave it as its only user.
    await Promise.race([leaving, once(AbortSignal.timeout(1_500), "abort")]);
    second.thaw();
    await leaving;

    expect(isRunning(postmaster)).toBe(true);
    await second.leave();
    await untilGone(postmaster);
  });

  it("may be killed while it makes the files, whose maker goes on without it", async () => {
    const dataDir = makeDataDir();
    const application = new Application({ dataDir, writes: true });
    await expect
      .poll(() => draftsIn(dataDir).some((draft) => existsSync(join(draft, "base"))), polling)
      .toBe(true);
    const keeper = readAddress(homeOf(dataDir))?.pid;
    if (keeper === undefined) throw new Error("the keeper has no address");

    process.kill(keeper, "SIGKILL");

    await application.hasWritten();
    await application.leave();
    await expectAllWritten(dataDir, application);
  });

  it("takes another port when that of last time is taken", async () => {
    const dataDir = await makeSeededDataDir();
    const first = await openEmbeddedDatabase({ dataDir });
    await first.leave();
    const squatter = createServer().listen(Number(new URL(first.url).port), "127.0.0.1");
    await once(squatter, "listening");

    const second = await openEmbeddedDatabase({ dataDir });
    expect(second.url).not.toBe(first.url);
    expect(await connect(second.url)`select 1 as one`).toEqual([{ one: 1 }]);

    await second.leave();
    squatter.close();
  });

  it("refuses the files of another PostgreSQL and says so", async () => {
    const dataDir = await makeSeededDataDir();
    const database = await openEmbeddedDatabase({ dataDir });
    await database.leave();
    writeFileSync(join(clusterFolder(homeOf(dataDir)), "PG_VERSION"), "17\n");

    await expect(openEmbeddedDatabase({ dataDir })).rejects.toThrow(
      "was made by PostgreSQL 17 and this is PostgreSQL 18",
    );
  });
});

describe("a server that cannot be started again", () => {
  it("is started when it can be, with all its data, and its users hear why it was not", async () => {
    const dataDir = await makeSeededDataDir();
    const { log, errors, infos } = collectingLog();
    const first = await openEmbeddedDatabase({ dataDir, log });
    const second = await openEmbeddedDatabase({ dataDir });
    const sql = connect(first.url);
    await sql`create table kept as select 1 as id`;

    const mend = breakSettings(dataDir);
    await pgCtl(dataDir, ["stop", "-m", "immediate"]);
    const [error] = await errors.until(1);
    expect(error?.message).toBe("the embedded database does not run; tries on");
    expect(error?.fields["reason"]).toMatch(
      /^PostgreSQL did not start: syntax error in file .*postgresql.auto.conf.*; .*contains errors/,
    );
    await expect(openEmbeddedDatabase({ dataDir })).rejects.toThrow("PostgreSQL did not start");

    mend();
    const [info] = await infos.until(1);
    expect(info?.message).toBe("the embedded database runs again");
    expect(await sql`select id from kept`).toEqual([{ id: 1 }]);

    await first.leave();
    await expect.poll(() => sql`select id from kept`.catch(String), polling).toEqual([{ id: 1 }]);
    const { keeper, postmaster } = processesOf(dataDir);
    await second.leave();
    await untilGone(keeper, postmaster);
  });

  it("is tried again ever more slowly, and is left at once", async () => {
    const dataDir = await makeSeededDataDir();
    const { log, errors } = collectingLog();
    const database = await openEmbeddedDatabase({ dataDir, log });
    breakSettings(dataDir);
    await pgCtl(dataDir, ["stop", "-m", "immediate"]);

    const tries = await errors.until(2);
    expect(tries.map(({ fields }) => fields["retryInMs"])).toEqual([1_000, 2_000]);
    await database.leave();
    expect(errors.all).toHaveLength(2);
  });

  it("is not replaced by an empty one when its files are gone", async () => {
    const dataDir = await makeSeededDataDir();
    const { log, errors, infos } = collectingLog();
    const database = await openEmbeddedDatabase({ dataDir, log });
    const sql = connect(database.url);
    await sql`create table kept as select 1 as id`;
    const mend = breakSettings(dataDir);
    await pgCtl(dataDir, ["stop", "-m", "immediate"]);
    await errors.until(1);
    mend();
    const cluster = clusterFolder(homeOf(dataDir));
    renameSync(cluster, `${cluster}.away`);

    const [, error] = await errors.until(2);
    expect(error?.fields["reason"]).toBe(`the database's files are gone from ${cluster}`);
    renameSync(`${cluster}.away`, cluster);
    await infos.until(1);
    expect(await sql`select id from kept`).toEqual([{ id: 1 }]);
    await database.leave();
  });

  it("is not tried again when its keeper was told to stop", async () => {
    const dataDir = await makeSeededDataDir();
    const { log, errors } = collectingLog();
    const database = await openEmbeddedDatabase({ dataDir, log });
    const { keeper, postmaster } = processesOf(dataDir);

    process.kill(keeper, "SIGTERM");
    const [error] = await errors.until(1);
    expect(error).toMatchObject({
      message: "the embedded database was stopped",
      fields: { reason: "its keeper was told to stop (SIGTERM)" },
    });
    await untilGone(keeper, postmaster);
    await database.leave();
  });
});

describe("a clone of the project", () => {
  it("runs where install scripts were off, so that nobody linked the libraries", async () => {
    const root = cloneProject(makeFolder());
    const dataDir = makeDataDir();

    const application = new Application({ dataDir, writes: true }, { root });
    await application.hasWritten();
    await application.leave();
  });

  it.runIf(isRoot)("says whose the data folder is to whom it is closed", async () => {
    const root = cloneProject(makeFolder());
    const dataDir = makeDataDir();
    const account = { uid: 65534, gid: 65534 };

    const application = new Application({ dataDir }, { root, ...account });
    await expect(application.url).rejects.toThrow(`cannot make the database's folder ${dataDir}`);

    const database = await openEmbeddedDatabase({ dataDir });
    const intruder = new Application({ dataDir }, { root, ...account });
    await expect(intruder.url).rejects.toThrow(/no permission for the database in .* user 65534/);
    await database.leave();
  });

  it.runIf(isRoot)("runs as root in a home that nobody else may enter", async () => {
    const folder = makeFolder(0o700);
    const systemFolder = join(makeFolder(), "system");
    const root = cloneProject(folder);
    const dataDir = makeDataDir(root);

    const application = new Application({ dataDir, systemFolder, writes: true }, { root });
    await application.hasWritten();
    const { keeper, postmaster } = processesOf(dataDir);
    expect(homeOf(dataDir).startsWith(systemFolder)).toBe(true);
    expect(statSync(`/proc/${postmaster}`).uid).toBe(accountFor(folder)?.uid);
    await application.kill();

    const second = new Application({ dataDir, systemFolder }, { root });
    expect(await second.url).toBe(await application.url);
    await expectWritten(await second.url, application);
    await second.leave();
    await untilGone(keeper, postmaster);
    expect(readdirSync(systemFolder)).toHaveLength(2);
  });

  it.runIf(isRoot)("refuses, as root, a system folder that others may write to", async () => {
    const dataDir = makeDataDir(makeFolder(0o700));
    const systemFolder = makeFolder(0o777);

    await expect(openEmbeddedDatabase({ dataDir, systemFolder })).rejects.toThrow(
      `${systemFolder} is not to be trusted`,
    );
    expect(existsSync(join(dataDir, "postgres"))).toBe(false);
  });

  if (!isRoot) console.warn("not root: the tests of what root needs are skipped");
});

function connect(url: string): Sql {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  connections.push(sql);
  return sql;
}

/** Returns what mends them. */
function breakSettings(dataDir: string): () => void {
  const file = join(clusterFolder(homeOf(dataDir)), "postgresql.auto.conf");
  const settings = readFileSync(file);
  writeFileSync(file, "max_connections = = 100\n");
  return () => writeFileSync(file, settings);
}

interface Said {
  readonly message: string;
  readonly fields: LogFields;
}

class Lines {
  readonly all: Said[] = [];
  #wake = () => {};

  readonly add = (message: string, fields: LogFields = {}): void => {
    this.all.push({ message, fields });
    this.#wake();
  };

  async until(count: number): Promise<readonly Said[]> {
    while (this.all.length < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.all;
  }
}

function collectingLog(): { log: Log; errors: Lines; infos: Lines } {
  const [errors, infos] = [new Lines(), new Lines()];
  return { log: { ...silentLog, error: errors.add, info: infos.add }, errors, infos };
}

async function expectAllWritten(dataDir: string, application: Application): Promise<void> {
  const database = await openEmbeddedDatabase({ dataDir });
  await expectWritten(database.url, application);
  await database.leave();
}

async function expectWritten(url: string, { acknowledged }: Application): Promise<void> {
  const rows = await connect(url)<{ id: number }[]>`select id from written`;
  const written = new Set(rows.map(({ id }) => id));
  expect(acknowledged.length).toBeGreaterThanOrEqual(200);
  expect(acknowledged.filter((id) => !written.has(id))).toEqual([]);
}

function homeOf(dataDir: string): string {
  const home = findHome(dataDir);
  if (home === undefined) throw new Error(`no database in ${dataDir}`);
  return home.folder;
}

function draftsIn(dataDir: string): string[] {
  const home = findHome(dataDir)?.folder;
  if (home === undefined) return [];
  return readdirSync(home)
    .filter((name) => name.startsWith("cluster.draft."))
    .map((name) => join(home, name));
}

async function ticks(count: number): Promise<void> {
  for (let tick = 0; tick < count; tick += 1) await new Promise(setImmediate);
}
