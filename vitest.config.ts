import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two cores, and most files drive processes of their own.
    maxWorkers: 2,
    typecheck: { enabled: false },
  },
});
