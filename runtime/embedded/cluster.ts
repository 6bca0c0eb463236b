import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Binaries } from "./binaries.ts";
import { programEnvironment } from "./binaries.ts";
import { clusterFolder } from "./home.ts";
import { writeWhole } from "./messages.ts";
import { databaseName, postgresMajor, superuser } from "./settings.ts";
import type { Errand } from "./start-keeper.ts";

const run = promisify(execFile);
const draftPrefix = "cluster.draft.";

/** Makes the data files on the first start, and refuses those of another PostgreSQL. */
export async function ensureCluster({ home, binaries, isReturn }: Errand): Promise<void> {
  const cluster = clusterFolder(home);
  removeDrafts(home);
  if (!existsSync(cluster)) {
    if (isReturn) throw new Error(`the database's files are gone from ${cluster}`);
    await initialise(home, binaries);
  }

  const major = readFileSync(join(cluster, "PG_VERSION"), "utf8").trim();
  if (major === postgresMajor) return;
  throw new Error(
    `the database in ${cluster} was made by PostgreSQL ${major} and this is PostgreSQL ${postgresMajor}: dump it with the old version and restore it into a new data folder, or move it away to begin with an empty one`,
  );
}

export function databaseUrl(home: string, port: number): string {
  const password = readFileSync(passwordFile(home), "utf8");
  return `postgres://${superuser}:${password}@127.0.0.1:${port}/${databaseName}`;
}

async function initialise(home: string, binaries: Binaries): Promise<void> {
  // Renamed when complete: a start that was killed half-way leaves nothing that looks finished.
  // A name of its own, because the `initdb` of a killed keeper goes on in its draft.
  const draft = join(home, `${draftPrefix}${randomBytes(6).toString("hex")}`);
  writeWhole(passwordFile(home), randomBytes(24).toString("base64url"));

  const options = [
    `--pgdata=${draft}`,
    `--username=${superuser}`,
    `--pwfile=${passwordFile(home)}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
  ];
  await run(binaries.initdb, options, { cwd: home, env: programEnvironment });
  renameSync(draft, clusterFolder(home));
}

function removeDrafts(home: string): void {
  const drafts = readdirSync(home).filter((name) => name.startsWith(draftPrefix));
  for (const draft of drafts) {
    try {
      rmSync(join(home, draft), { recursive: true, force: true, maxRetries: 5 });
    } catch (error) {
      // An orphaned `initdb` may add files faster than they go; the next start finds it ended.
      console.error(error);
    }
  }
}

function passwordFile(home: string): string {
  return join(home, "password");
}
