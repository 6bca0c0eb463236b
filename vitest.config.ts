import { resolve } from "node:path";
import { defineConfig } from "vitest/config";

/** They hold the product to a time that whatever else runs would take from it. */
const timed = ["test/chaos/node-death.test.ts"];

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    typecheck: { enabled: false },
    // For the hundreds of processes that tests start from the same sources.
    env: { NODE_COMPILE_CACHE: resolve(import.meta.dirname, "node_modules/.cache/compiled") },
    projects: [
      {
        extends: true,
        test: {
          name: "timed",
          include: timed,
          maxWorkers: 1,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "all else",
          include: ["test/**/*.test.ts"],
          exclude: timed,
          // Two cores, and most files drive processes of their own.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
