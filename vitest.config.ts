import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Two slow cores: end-to-end files start browsers and processes of their own.
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // A condition is waited for as long as a busy machine may take; usually it is true at once.
    expect: { poll: { timeout: 30_000 } },
    pool: "forks",
    reporters: ["default"],
  },
});
