import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbeddedDatabase } from "../runtime/embedded/index.ts";

/** Lends the URL of a database to measure on: the given one, or an embedded one that is gone afterwards. */
export async function withDatabase(work: (url: string) => Promise<void>): Promise<void> {
  const given = process.env["KANTOKU_BENCH_DATABASE_URL"];
  if (given !== undefined) return work(given);
  const dataDir = await mkdtemp(join(tmpdir(), "kantoku-bench-"));
  // Else root's database would be kept elsewhere, where nobody deletes it: its account cannot reach it here.
  await chmod(dataDir, 0o755);
  const database = await openEmbeddedDatabase({ dataDir });
  try {
    await work(database.url);
  } finally {
    await database.leave();
    await rm(dataDir, { recursive: true, force: true });
  }
}
