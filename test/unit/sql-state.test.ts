import { describe, expect, test } from "vitest";
import { LineLost, type ServerError } from "../../runtime/store/postgres/line.ts";
import { faultOf, storeErrorOf } from "../../runtime/store/postgres/sql-state.ts";
import type { StoreFault } from "../../runtime/store/store.ts";

const cases: Readonly<Record<string, StoreFault>> = {
  KT001: "fenced",
  KT002: "stale",
  "22021": "refused", // a NUL in a text
  "22P02": "refused", // not JSON
  "23505": "refused", // a name that is taken
  "54000": "refused", // an index row that is too large
  "40001": "contended",
  "40P01": "contended",
  "57014": "contended", // statement timeout
  "57P01": "unavailable", // killed by an administrator
  "57P03": "unavailable", // starting up
  "53300": "unavailable", // too many connections
  "53100": "unavailable", // disk full
  "25006": "unavailable", // a standby
  "28P01": "unavailable", // wrong password
  "42P01": "refused", // no such table: our bug
};

function serverError(fields: { code: string; constraint_name?: string }): ServerError {
  return Object.assign(new Error("the server says no"), fields);
}

describe("SQLSTATE", () => {
  test.each(Object.entries(cases))("%s is %s", (code, fault) => {
    expect(faultOf(serverError({ code }))).toBe(fault);
  });

  test("an event at a seq that is taken is stale: somebody else has moved the actor on", () => {
    const taken = serverError({ code: "23505", constraint_name: "events_pkey" });
    expect(faultOf(taken)).toBe("stale");
  });

  test("a lost connection is unavailable, and any other failure is refused with its cause", () => {
    expect(storeErrorOf(new LineLost("gone")).fault).toBe("unavailable");
    const bug = new TypeError("not a function");
    expect(storeErrorOf(bug)).toMatchObject({ fault: "refused", cause: bug });
  });

  test("a store's error stays what it is", () => {
    const error = storeErrorOf(new LineLost("gone"));
    expect(storeErrorOf(error)).toBe(error);
  });
});
