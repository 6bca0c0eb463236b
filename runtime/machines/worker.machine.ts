import { assertEvent, assign, setup } from "xstate";

interface WorkerContext {
  /** The life of the process that serves under this worker's name now. */
  readonly instance: string | null;
  readonly slots: number;
  readonly reason: string | null;
}

/** What can happen to a worker. Busy and idle are not events: free slots derive from running attempts. */
export type WorkerEvent =
  | {
      readonly type: "worker.registered";
      readonly instance: string;
      readonly slots: number;
      readonly node: string;
    }
  | { readonly type: "worker.draining" }
  | { readonly type: "worker.gone" }
  | { readonly type: "worker.lost"; readonly reason: string };

/**
 * The life of a worker. A name outlives its processes: a worker that was lost or has gone serves
 * again when a process registers under its name.
 */
export const workerMachine = setup({
  types: { context: {} as WorkerContext, events: {} as WorkerEvent },
  guards: {
    isOtherInstance: ({ context, event }) =>
      event.type === "worker.registered" && event.instance !== context.instance,
  },
  actions: {
    noteRegistered: assign(({ event }) => {
      assertEvent(event, "worker.registered");
      return { instance: event.instance, slots: event.slots, reason: null };
    }),
    noteLost: assign(({ event }) => {
      assertEvent(event, "worker.lost");
      return { reason: event.reason };
    }),
  },
}).createMachine({
  id: "worker",
  context: { instance: null, slots: 0, reason: null },
  initial: "connecting",
  states: {
    connecting: {
      on: { "worker.registered": { target: "serving", actions: "noteRegistered" } },
    },
    serving: {
      on: {
        "worker.registered": { target: "serving", actions: "noteRegistered" },
        "worker.draining": "draining",
        "worker.gone": "gone",
        "worker.lost": { target: "lost", actions: "noteLost" },
      },
    },
    draining: {
      on: {
        // The same process that reconnects goes on draining; a fresh one serves.
        "worker.registered": [
          { guard: "isOtherInstance", target: "serving", actions: "noteRegistered" },
          { actions: "noteRegistered" },
        ],
        "worker.gone": "gone",
        "worker.lost": { target: "lost", actions: "noteLost" },
      },
    },
    gone: { on: { "worker.registered": { target: "serving", actions: "noteRegistered" } } },
    lost: { on: { "worker.registered": { target: "serving", actions: "noteRegistered" } } },
  },
});
