import { vi } from "vitest";

/** Asserts again and again until it holds, for as long as a busy machine may take; then fails as the last assertion did. */
export function eventually<T>(assertion: () => T | Promise<T>, intervalMs = 50): Promise<T> {
  return vi.waitFor(assertion, { timeout: 30_000, interval: intervalMs });
}
