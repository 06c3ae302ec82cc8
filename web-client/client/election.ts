import { ArbiterMember } from "./arbiter-member.ts";
import type { ElectionHandlers } from "./election-handlers.ts";

const lockName = "manyhands-computing";

/**
 * Lets one tab of this browser compute at a time. Web Locks where they exist (secure contexts), else a shared worker that
 * arbitrates, else every tab for itself.
 * @returns a function that leaves the election at once, also in `pagehide`
 */
export function joinElection(handlers: ElectionHandlers): () => void {
  // Web Locks are declared as always there, but missing on plain HTTP and in some browsers.
  const { locks } = navigator as { locks?: LockManager };
  if (locks) return electByLock(locks, handlers);
  if (typeof SharedWorker === "function") {
    try {
      const member = new ArbiterMember(handlers);
      return () => member.leave();
    } catch {
      // A browser that refuses shared workers counts as one without.
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
      // A sandboxed page, or one without storage, is refused the lock: this tab computes by itself.
      if (!left && !waiting.signal.aborted) handlers.elected(false);
      else if (!left) throw error;
    });
  return () => {
    left = true;
    waiting.abort();
    held.resolve();
  };
}
