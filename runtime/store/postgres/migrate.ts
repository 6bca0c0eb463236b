import { StoreError } from "../store.ts";
import { type Line, openLine } from "./line.ts";
import { init } from "./migrations/000001_init.ts";
import { graphs } from "./migrations/000002_graphs.ts";
import { shortJournals } from "./migrations/000003_short_journals.ts";
import { edgesInRows } from "./migrations/000004_edges_in_rows.ts";
import { hashedDefinitions } from "./migrations/000005_hashed_definitions.ts";
import { idsByTheirOwnIndex } from "./migrations/000006_ids_by_their_own_index.ts";
import { countedHashes } from "./migrations/000007_counted_hashes.ts";
import { storeErrorOf } from "./sql-state.ts";

interface Migration {
  readonly version: number;
  readonly name: string;
  readonly text: string;
}

/** In order, forward only, each in the one transaction of the start that applies it. */
export const migrations: readonly Migration[] = [
  { version: 1, name: "init", text: init },
  { version: 2, name: "graphs", text: graphs },
  { version: 3, name: "short journals", text: shortJournals },
  { version: 4, name: "edges in rows", text: edgesInRows },
  { version: 5, name: "hashed definitions", text: hashedDefinitions },
  { version: 6, name: "ids by their own index", text: idsByTheirOwnIndex },
  { version: 7, name: "counted hashes", text: countedHashes },
];

const known = migrations.length;

/**
 * Brings the schema up to this code. Any number of starters may do so at once: the first holds an
 * advisory lock until its transaction ends, the others then find nothing to do.
 *
 * @throws StoreError `unavailable`; `refused` when newer code has migrated the schema beyond what this one knows.
 */
export async function migrate(target: Target): Promise<void> {
  try {
    // Building an index may outlast any timeout that is right for a turn.
    const line = await openLine({ ...target, settings: { application_name: "kantoku migrate" } });
    // What was not committed is rolled back with the connection.
    await migrateOn(line, target.schema).finally(() => line.close());
  } catch (error) {
    throw storeErrorOf(error);
  }
}

interface Target {
  readonly url: string;
  readonly schema: string;
}

async function migrateOn(line: Line, schema: string): Promise<void> {
  await line.send("begin");
  // The lock of a transaction, never of a session: a pooler may hand sessions on.
  await line.send("select pg_advisory_xact_lock(hashtextextended($1, 0))", [`kantoku ${schema}`]);
  const found = await foundVersion(line, schema);
  if (found > known) {
    throw new StoreError(
      "refused",
      `schema ${schema} is at version ${found}, this code knows ${known}: start newer code`,
    );
  }
  for (const { version, name, text } of migrations.slice(found)) {
    await line.send(text);
    await line.send(note, [version, name]);
  }
  await line.send("commit");
}

const note = "insert into kantoku.migrations (version, name) values ($1, $2)";

async function foundVersion(line: Line, schema: string): Promise<number> {
  const [there] = await line.send("select to_regclass('kantoku.migrations') is not null as yes");
  if (there?.["yes"] === true) {
    const [last] = await line.send(
      "select coalesce(max(version), 0) as version from kantoku.migrations",
    );
    return Number(last?.["version"]);
  }
  // Asked first, because "if not exists" wants the right to create even where nothing is created.
  const [made] = await line.send("select to_regnamespace($1) is not null as yes", [schema]);
  if (made?.["yes"] !== true) await line.send(`create schema ${schema}`);
  await line.send(`
    create table kantoku.migrations (
      version    int primary key,
      name       text not null,
      applied_at timestamptz not null default clock_timestamp()
    )`);
  return 0;
}
