import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Two slow cores: end-to-end files start browsers and processes of their own.
    maxWorkers: 2,
    // Real browsers and processes on a busy machine: one that misses its time once is tried again, in CI only, and shown.
    retry: process.env["CI"] ? 2 : 0,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
    reporters: ["default"],
  },
});
