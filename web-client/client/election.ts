import type { FromArbiter, ToArbiter } from "./arbiter-messages.ts";

export interface ElectionHandlers {
  /** This tab may compute. `exclusive` is false where the browser has no way to ask the other tabs. */
  readonly elected: (exclusive: boolean) => void;
  /** This tab was taken for dead (frozen, suspended) and another one computes now. It waits again. */
  readonly deposed: () => void;
}

const lockName = "manyhands-computing";
/** How often a waiting tab has the arbiter look after the elected one; matters only after a crash. */
const pokeMs = 15_000;

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
      return electByArbiter(new SharedWorker("/arbiter.js", { name: "manyhands" }), handlers);
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

function electByArbiter(arbiter: SharedWorker, handlers: ElectionHandlers): () => void {
  let elected = false;
  let left = false;
  const tell = (message: ToArbiter): void => arbiter.port.postMessage(message);
  const leave = (): void => {
    if (left) return;
    left = true;
    clearInterval(poking);
    tell("leave");
    arbiter.port.close();
  };
  const poking = setInterval(() => {
    if (!elected) tell("poke");
  }, pokeMs);
  arbiter.port.addEventListener("message", ({ data }: MessageEvent<FromArbiter>) => {
    if (left) return;
    if (data === "alive?") return tell("alive");
    if (elected === (data === "elected")) return;
    elected = data === "elected";
    if (elected) handlers.elected(true);
    else handlers.deposed();
  });
  arbiter.addEventListener("error", () => {
    if (left) return;
    leave();
    handlers.elected(false);
  });
  arbiter.port.start();
  tell("join");
  return leave;
}
