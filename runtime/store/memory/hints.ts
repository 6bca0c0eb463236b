import type { HintBus } from "../store.ts";
import type { Tables } from "./tables.ts";

/** A sender never runs a listener: as over a wire, hints arrive after `send` was called. */
export function createHintBus({ clock, listeners }: Tables): HintBus {
  return {
    async send(hints) {
      for (const listener of listeners) {
        for (const hint of hints) {
          clock.soon(() => {
            if (listeners.has(listener)) listener(hint);
          });
        }
      }
    },

    async listen(listener) {
      // The same function may listen twice and close once.
      const own = listener.bind(undefined);
      listeners.add(own);
      return {
        async close() {
          listeners.delete(own);
        },
      };
    },
  };
}
