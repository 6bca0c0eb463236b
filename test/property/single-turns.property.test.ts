import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { silentLog } from "../../runtime/ports/log.ts";
import { singleTask } from "../../runtime/store/postgres/commits/single-task.ts";
import { writingOf } from "../../runtime/store/postgres/commits/statements.ts";
import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import type { Store } from "../../runtime/store/store.ts";
import type { Turn } from "../../runtime/store/turns.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { faultOf } from "../support/fault.ts";
import {
  type GraphTurn,
  endOf as memberEndOf,
  submitRoot,
  submitRunningMember,
  submitWaitingMember,
} from "../support/graph-turns.ts";
import { enlistNode } from "../support/test-node.ts";
import { event, newId, rowOf, submitRunning, succeeded, turnOf } from "../support/turns.ts";

// NUL and lone surrogates have no place in PostgreSQL's text; the payload rules refuse them.
const character = fc.oneof(
  fc.constantFrom('"', "\\", "{", "}", ",", "'", "$1", "\n", "é", "漢", "👍", "\u2028"),
  fc.string({ unit: "binary", minLength: 1, maxLength: 1 }).filter((it) => it !== "\0"),
);
const text = fc.array(character, { maxLength: 10 }).map((characters) => characters.join(""));
const json = fc.json({ stringUnit: "grapheme" });
const object = fc
  .dictionary(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }))
  .map((it) => JSON.stringify(it));

const life = fc.record({
  namespace: text,
  definition: text,
  version: text,
  trace: fc.option(text),
  hasKey: fc.boolean(),
  priority: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  input: json,
  labels: object,
  snapshot: fc.option(json),
  output: json,
  error: fc.option(json),
  startedAt: fc.option(fc.integer({ min: 0, max: 4e12 })),
});
type Life = typeof life extends fc.Arbitrary<infer T> ? T : never;

/** What writes one turn by itself names its cells one by one, what writes several has columns. */
describe("a turn that is committed by itself", () => {
  let database: TestDatabase;
  let store: Store;

  beforeAll(async () => {
    database = await openTestDatabase();
    store = await openPostgresStore({ url: database.url, lanes: 1, log: silentLog });
  });

  afterAll(async () => {
    await store.close();
    await database.close();
  });

  function submitOf(node: string, { hasKey, version, snapshot, startedAt, ...identity }: Life) {
    const { namespace, definition, trace, priority, input, labels } = identity;
    const key = hasKey ? newId() : null;
    const told = { namespace, definition, trace, priority, input, labels, key };
    const state = { version, snapshot, startedAt };
    return submitRunning({ node, worker: node }, { ...told, metadata: labels, state });
  }

  function endOf(submitted: ReturnType<typeof submitOf>, { output, error, snapshot }: Life) {
    const ended = event(submitted.state.seq + 1, "attempt.succeeded", { output });
    const state = { ...succeeded, output, error, snapshot };
    return turnOf(rowOf(submitted), { events: [ended], state });
  }

  test("is written by the statements for one", async () => {
    const node = newId();
    const [told] = fc.sample(life, { numRuns: 1, seed: 7 });
    if (told === undefined) throw new Error("unreachable");
    const submitted = submitOf(node, told);
    const textsOf = (...turns: readonly Turn[]) =>
      writingOf({ node, lane: 0, id: 1, turns }).statements.map((statement) => statement.text);
    expect(textsOf(submitted)).toEqual([singleTask.submit.alone]);
    expect(textsOf(endOf(submitted, told))).toEqual([singleTask.update.alone]);
  });

  test("reads as it does in company, whatever is in it", { timeout: 60_000 }, async () => {
    const node = await enlistNode(store);
    const readBack = async ({ id, identity: { namespace } }: ReturnType<typeof submitOf>) => {
      const row = await store.tasks.read(namespace, id);
      const { root, ...rest } = row ?? {};
      expect(root).toBe(id);
      return {
        ...rest,
        id: null,
        key: row?.key === null,
        events: await store.journal.read(id, 0, 9),
      };
    };
    const property = fc.asyncProperty(life, life, async (told, bystander) => {
      const [alone, inCompany] = [submitOf(node.id, told), submitOf(node.id, told)];
      const other = submitOf(node.id, bystander);
      await node.commit(alone);
      await node.commit(inCompany, other);
      expect(await readBack(alone)).toEqual(await readBack(inCompany));
      await node.commit(endOf(alone, told));
      await node.commit(endOf(inCompany, told), endOf(other, bystander));
      const ended = await readBack(alone);
      expect(ended).toEqual(await readBack(inCompany));
      expect(ended).toMatchObject({ output: told.output, error: told.error, status: "succeeded" });
    });
    await fc.assert(property, { numRuns: 150 });
  });

  function beginOf(
    waiting: GraphTurn,
    node: string,
    { version, snapshot, startedAt, input }: Life,
  ) {
    const { seq } = waiting.state;
    const events = [event(seq + 1, "task.resolved"), event(seq + 2, "attempt.assigned", { input })];
    const running = { status: "running", owner: node, worker: node, attempt: 1 } as const;
    const state = { ...running, version, snapshot, startedAt };
    return turnOf(rowOf(waiting), { events, state, links: { isForetold: true, input } });
  }

  test("a dependent begins as it does in company, and no less cautiously", async () => {
    const node = await enlistNode(store);
    const readBack = async ({ id }: GraphTurn) => {
      const { root, parent, place, ...rest } = (await store.tasks.read("default", id)) ?? {};
      return { ...rest, id: null, events: await store.journal.read(id, 0, 9) };
    };
    const property = fc.asyncProperty(life, life, async (told, bystander) => {
      const root = submitRoot();
      const ending = () => submitRunningMember({ root }, node.id);
      const [one, two] = [ending(), ending()];
      const waiting = (on: GraphTurn) => submitWaitingMember({ root }, [on]);
      const [alone, inCompany, other] = [waiting(one), waiting(two), waiting(two)];
      await node.commit(root, one, two, alone, inCompany, other);
      const begins = beginOf(alone, node.id, told);
      const turns = [memberEndOf(one), begins];
      const { statements } = writingOf({ node: node.id, lane: 0, id: 1, turns });
      expect(statements.map((statement) => statement.text)).toContain(singleTask.begin.text);
      await node.commit(...turns);
      const rest = [beginOf(inCompany, node.id, told), beginOf(other, node.id, bystander)];
      await node.commit(memberEndOf(two), ...rest);
      expect(await readBack(alone)).toEqual(await readBack(inCompany));
      // It is somebody's by now.
      expect(await faultOf(node.commit(begins))).toBe("stale");
    });
    await fc.assert(property, { numRuns: 30 });
  });
});
