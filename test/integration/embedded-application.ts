/**
 * An application that uses an embedded database: it prints the URL, with `writes` also each row
 * that was acknowledged to it, and leaves when its standard input ends.
 */

import { writeSync } from "node:fs";
import postgres from "postgres";
import type { EmbeddedDatabaseOptions } from "../../runtime/embedded/index.ts";
import { openEmbeddedDatabase } from "../../runtime/embedded/index.ts";

const writers = 4;

const { writes, ...options } = JSON.parse(process.argv[2] ?? "{}") as EmbeddedDatabaseOptions & {
  writes?: boolean;
};
const inputEnd = new Promise((resolve) => process.stdin.resume().once("end", resolve));
const database = await openEmbeddedDatabase(options);
print({ url: database.url });
if (writes) await writeUntil(inputEnd);
await inputEnd;
await database.leave();

async function writeUntil(end: Promise<unknown>): Promise<void> {
  const sql = postgres(database.url, { max: writers, onnotice: () => {} });
  await sql`create table if not exists written (id integer primary key)`;
  let lastId = 0;
  let hasEnded = false;
  void end.then(() => {
    hasEnded = true;
  });
  await Promise.all(Array.from({ length: writers }, write));
  await sql.end();

  async function write(): Promise<void> {
    while (!hasEnded) {
      lastId += 1;
      const id = lastId;
      await sql`insert into written values (${id})`;
      print({ acknowledged: id });
    }
  }
}

// Straight into the pipe: what a stream still held at a kill would be acknowledged and unseen.
function print(line: { readonly url: string } | { readonly acknowledged: number }): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}
