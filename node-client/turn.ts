import { setTimeout as sleep } from "node:timers/promises";
import { breakIfDead, tryLock, type FetchLock } from "./fetch-lock.ts";

/** First pause between two checks of another process's work; later pauses are longer. */
const firstLookMs = 10;
const longestLookMs = 250;

/**
 * Runs `action` while no other process runs an action under the same lock file. A dead holder's lock is broken; where no lock
 * can be made (a full disk), every process acts.
 */
export async function takeTurn<T>(path: string, action: () => Promise<T>): Promise<T> {
  const { lock } = await waitForTurn(path);
  try {
    return await action();
  } finally {
    lock?.release();
  }
}

/**
 * Waits for the lock file, or until `look` (called after each pause) finds the result of another process, which becomes
 * `found`. The answer is empty where no lock can be made.
 */
export async function waitForTurn<T = never>(
  path: string,
  look?: () => Promise<T | undefined>,
): Promise<{ readonly lock?: FetchLock; readonly found?: T }> {
  const watch = { mtimeMs: 0, since: performance.now() };
  for (let pauseMs = firstLookMs; ; pauseMs = Math.min(longestLookMs, pauseMs * 1.5)) {
    try {
      const lock = tryLock(path);
      if (lock) return { lock };
      await breakIfDead(path, watch, performance.now());
    } catch {
      return {};
    }
    await sleep(pauseMs);
    const found = await look?.();
    if (found !== undefined) return { found };
  }
}
