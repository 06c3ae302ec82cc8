import { ArbiterMember } from "./arbiter-member.ts";
import type { ElectionHandlers } from "./election-handlers.ts";

const lockName = "manyhands-computing";

/**
 * Lets one tab of this browser compute at a time. Web Locks where they exist (secure contexts), else a shared worker that
 * arbitrates, else every tab for itself.
 * @returns leaves the election at once, also in `pagehide`
 */
export function joinElection(handlers: ElectionHandlers): () => void {
  // Declared as always there; missing on plain HTTP and in some browsers.
  const { locks } = navigator as { locks?: LockManager };
  if (locks) return electByLock(locks, handlers);
  if (typeof SharedWorker === "function") {
    try {
      const member = new ArbiterMember(handlers);
      return () => member.leave();
    } catch {
      // A browser that refuses shared workers here is one that has none.
    }
  }
  handlers.elected(false);
  return () => undefined;
}

function electByLock(locks: LockManager, handlers: ElectionHandlers): () => void {
  const waiting = new AbortController();
  const held = Promise.withResolvers<void>();
  let left = false;
  locks
    .request(lockName, { signal: waiting.signal }, () => {
      if (left) return undefined;
      handlers.elected(true);
      return held.promise;
    })
    .catch((error: unknown) => {
      // Locks exist and are refused (a sandboxed or storage-less page): this tab is on its own.
      if (!left && !waiting.signal.aborted) handlers.elected(false);
      else if (!left) throw error;
    });
  return () => {
    left = true;
    waiting.abort();
    held.resolve();
  };
}
