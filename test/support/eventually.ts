import { vi } from "vitest";

/** Repeats an assertion until it holds, for as long as a busy machine may take, and then fails with its last error. */
export function eventually<T>(assertion: () => T | Promise<T>, intervalMs = 50): Promise<T> {
  return vi.waitFor(assertion, { timeout: 30_000, interval: intervalMs });
}
