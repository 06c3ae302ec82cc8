import type { JobId } from "../../shared/ids.ts";

/** Tells whoever waits that something of a job may have changed. With nobody there it costs a look into a map. */
export class JobNews {
  readonly #waiters = new Map<JobId, Set<() => void>>();

  tell(id: JobId): void {
    for (const wake of this.#waiters.get(id) ?? []) wake();
  }

  /** Resolves at the next news of the job, or when aborted. */
  next(id: JobId, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(id) ?? new Set();
      this.#waiters.set(id, waiters);
      const wake = (): void => {
        waiters.delete(wake);
        if (waiters.size === 0 && this.#waiters.get(id) === waiters) this.#waiters.delete(id);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      waiters.add(wake);
      signal.addEventListener("abort", wake);
    });
  }
}
