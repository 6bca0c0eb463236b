import type { Connection } from "./connection.ts";
import { type Line, LineLost } from "./line.ts";
import { storeErrorOf } from "./sql-state.ts";

/** What is sent before the first answer is awaited goes out together with the `begin`. */
type Steps<T> = (line: Line) => Promise<T>;

/**
 * Takes ownership in more than one statement, one transaction at a time: between its statements
 * nobody else may use the connection.
 *
 * The commit is sent when the rows are here. Were it sent along with the statements, a lost answer
 * would leave tasks owned by a node that does not know of them; so, at worst, the node holds tasks
 * that are not its own, and its first turn of each is stale.
 */
export function createTransactions(connection: Connection): <T>(steps: Steps<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (steps) => {
    const done = last.then(() => runOn(connection, steps));
    last = done.catch(() => {});
    return done;
  };
}

async function runOn<T>(connection: Connection, steps: Steps<T>): Promise<T> {
  for (let isRepeat = false; ; isRepeat = true) {
    const line = await connection.line();
    const begun = line.send("begin");
    const stepped = steps(line);
    try {
      const [, result] = await Promise.all([begun, stepped]);
      await line.send("commit").catch(() => {});
      return result;
    } catch (error) {
      await Promise.allSettled([begun, stepped]);
      await line.send("rollback").catch(() => {});
      if (!(error instanceof LineLost) || isRepeat) throw storeErrorOf(error);
    }
  }
}
