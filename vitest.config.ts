import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Two slow cores, which three files leave idle for a sixth of the time: they wait for links, time limits and other processes.
    maxWorkers: 4,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // A condition is waited for as long as a busy machine may take; usually it is true at once.
    expect: { poll: { timeout: 30_000 } },
    pool: "forks",
    reporters: ["default"],
  },
});
