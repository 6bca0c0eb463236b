import { defaultBounds } from "../../../gateway/bounds.ts";
import { Calls } from "../../../gateway/calls.ts";
import { createDispatch, type Runnable } from "../../../gateway/dispatch.ts";
import { receiveFrame } from "../../../gateway/exchange.ts";
import type { LogFields } from "../../../gateway/log.ts";
import { KantokuError } from "../../../sdk/errors.ts";
import { HandClock } from "../../support/hand-clock.ts";

function cyclic(): object {
  const ring: Record<string, unknown> = {};
  ring["self"] = ring;
  return ring;
}

function numbers(params: unknown): readonly number[] {
  const list = Array.isArray(params) ? params : Object.values(params ?? {});
  if (list.every((value) => typeof value === "number")) return list;
  throw new KantokuError("invalid-params", "Invalid params");
}

function thrower(failure: unknown): () => never {
  return () => {
    throw failure;
  };
}

export const secret = "postgres://root:hunter2@db";

/** The methods of the specification's own examples, and some that misbehave in every way known. */
const behaviours: Readonly<Record<string, (params: unknown) => unknown>> = {
  subtract: (params) => {
    const named = params as { minuend: number; subtrahend: number };
    const [left = 0, right = 0] = Array.isArray(params)
      ? numbers(params)
      : numbers([named.minuend, named.subtrahend]);
    return left - right;
  },
  sum: (params) => numbers(params).reduce((total, number) => total + number, 0),
  get_data: () => ["hello", 5],
  update: () => undefined,
  notify_hello: () => undefined,
  notify_sum: () => undefined,
  echo: (params) => params,
  later: async (params) => params,
  void: () => undefined,
  null: () => null,
  false: () => false,
  zero: () => 0,
  empty: () => "",
  nan: () => Number.NaN,
  bigint: () => 1n,
  circular: cyclic,
  function: () => () => {},
  boom: thrower(new Error(secret)),
  boomLater: async () => thrower(new Error(secret))(),
  throwString: thrower(secret),
  throwNull: thrower(null),
  throwUndefined: thrower(undefined),
  throwCodeful: thrower(Object.assign(new Error(secret), { code: -32000, data: secret })),
  conflict: thrower(new KantokuError("conflict", "taken", { data: { task: "t1" } })),
  "rpc.mine": () => "mine",
};

interface Fixture {
  /** What is sent for a frame; null for nothing. */
  answer(frame: string | Uint8Array): Promise<string | null>;
  readonly ran: readonly string[];
  readonly logged: readonly LogFields[];
}

/** Frames in, answers out, over the dispatcher alone: no socket, no clock. */
export function createFixture(bounds: Partial<typeof defaultBounds> = {}): Fixture {
  const ran: string[] = [];
  const logged: LogFields[] = [];
  const table = Object.entries(behaviours).map(
    ([name, behave]): Runnable<unknown> => ({
      name,
      run: (params) => {
        ran.push(name);
        return behave(params);
      },
    }),
  );
  const log = { info: () => {}, warn: () => {}, error: note };
  function note(_message: string, fields: LogFields): void {
    logged.push(fields);
  }
  const merged = { ...defaultBounds, ...bounds };
  const dispatch = createDispatch(table, { log, entropy: { id: () => "e1", random: () => 0 } });
  const calls = new Calls<null>(dispatch, { bounds: merged, clock: new HandClock() });
  return {
    ran,
    logged,
    answer: (frame) => {
      const { promise, resolve } = Promise.withResolvers<string | null>();
      receiveFrame(Buffer.from(frame), {
        session: null,
        calls,
        answerBytesMax: merged.answerBytesMax,
        isBatching: () => false,
        send: resolve,
        silent: () => resolve(null),
        unwritable: (failure) => note("unwritable", { failure: String(failure) }),
      });
      return promise;
    },
  };
}
