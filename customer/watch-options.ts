import type { TaskOutcome } from "./outcomes.ts";
import type { Progress } from "./progress.ts";

/** Options of a program's view of a job. */
export interface WatchOptions<Output = unknown> {
  /** Called when the job's progress changes, at most four times a second, and once at its end. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /**
   * Called with each outcome, failed tasks included, in completion order and once each; a promise that it returns is awaited
   * before the next call. Awaiting the job resolves after the last call. When `onResult` throws, awaiting the job rejects with
   * that error, and a job of `hands.map` is cancelled unless it has a `key`.
   */
  onResult?(this: void, outcome: TaskOutcome<Output>): void | Promise<void>;
  /** Effect of leaving a loop over the outcomes before its end: the job is cancelled, or goes on (default). */
  readonly onBreak?: "cancel" | "leave" | undefined;
  /** Aborting rejects the job's promises with the signal's reason, and cancels a job of `hands.map`. */
  readonly signal?: AbortSignal | undefined;
  /**
   * The failures that end the whole job. Absent: when its first tasks all fail alike and none is done, on several clients where
   * there are several; the job is then `quarantined`, and says why. `false`: never, every task is tried. `true`: also as soon
   * as a task has failed for good; awaiting rejects, and the job is cancelled.
   */
  readonly failFast?: boolean | undefined;
}
