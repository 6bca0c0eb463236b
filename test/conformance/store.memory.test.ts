import { createMemoryStore } from "../../runtime/store/memory/index.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { describeStore } from "./store.suite.ts";

const clock = createFakeClock();

describeStore("memory", {
  async open() {
    const store = createMemoryStore({ clock });
    return { store, close: () => store.close() };
  },
  advance: (ms) => clock.advance(ms),
});
