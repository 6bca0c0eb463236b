import { type CommitStore, StoreError } from "../../store.ts";
import type { Committed } from "../../turns.ts";
import type { Connections } from "../connections.ts";
import { type Answer, isOfServer, type Line } from "../line.ts";
import { idOf } from "../rows.ts";
import { ktRepeated, storeErrorOf, transactionAborted } from "../sql-state.ts";
import { resolve } from "./resolve.ts";
import type { Statement, Writing } from "./statement.ts";
import { writingOf } from "./statements.ts";

/**
 * One transaction a batch, all of its statements sent in one go: one round trip and one flush. A
 * batch of one statement needs no more than that: it is a transaction by itself.
 *
 * K1. Whatever must stop a batch raises in the database: the statements behind it are on their way.
 * K2. A batch counts as committed only when the server says COMMIT, or asks for the next statement
 *     after one by itself; as not committed only when the server says why; else it is `unknown`.
 * K3. All parameters are built before anything is sent: a turn that cannot be written as rows must
 *     not leave its batch half on the wire.
 */
export function createCommitStore({ lanes, desk }: Connections): CommitStore {
  return {
    async commit(batch) {
      const lane = lanes[batch.lane % lanes.length];
      if (lane === undefined) throw new RangeError("a store without lanes commits nothing");
      const writing = writingOf(batch);
      const line = await lane.line();
      const outcome = await transact(line, writing);
      return outcome === "repeated" ? resolve(desk, batch) : outcome;
    },
  };
}

async function transact(
  line: Line,
  { statements, isWhole }: Writing,
): Promise<Committed | "repeated"> {
  const written = () => statements.map(({ text, parameters }) => line.send(text, parameters));
  const answers = await Promise.allSettled(
    isWhole ? written() : [line.send("begin deferrable"), ...written(), line.send("commit")],
  );
  const cause = answers.map(failureOf).find(isCause);
  if (isOfServer(cause)) {
    if (cause.code === ktRepeated) return "repeated";
    throw storeErrorOf(cause);
  }
  const last = answers.at(-1);
  if (last?.status !== "fulfilled") {
    throw new StoreError("unknown", "the connection ended before the commit was answered", {
      cause: last?.reason,
    });
  }
  if (!isWhole && last.value.command !== "COMMIT") {
    throw new StoreError("contended", "the database rolled the batch back");
  }
  return {
    losers: new Set(idsOf("losers")),
    hasMail: idsOf("letters").length > 0,
  };

  function idsOf(kind: Statement["answers"]): string[] {
    return statements.flatMap((statement, index) => {
      const answer = answers[isWhole ? index : index + 1];
      if (statement.answers !== kind || answer?.status !== "fulfilled") return [];
      return answer.value.filter((row) => row["id"] !== null).map(idOf);
    });
  }
}

function failureOf(answer: PromiseSettledResult<Answer>): unknown {
  return answer.status === "rejected" ? answer.reason : undefined;
}

/** Statements behind the one that failed only say that the transaction is aborted. */
function isCause(failure: unknown): boolean {
  return isOfServer(failure) && failure.code !== transactionAborted;
}
