import { DatabaseSync } from "node:sqlite";

const SQLITE_BUSY = 5;

/**
 * Holds a file that one process at a time may hold; undefined when another one does.
 *
 * The kernel drops it with its holder, however that died. Node has no `flock`, and SQLite's
 * exclusive transaction is an `fcntl` lock that comes with it; pid files would leave a window
 * between judging one stale and replacing it.
 */
export function takeFolderLock(file: string): { release(): void } | undefined {
  const database = new DatabaseSync(file);
  try {
    // No journal on disk: a killed holder would leave one for its successor to roll back.
    database.exec("pragma busy_timeout = 0; pragma journal_mode = memory; begin exclusive");
  } catch (error) {
    database.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
  return { release: () => database.close() };
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY;
}
