import type { TaskIndex } from "../../shared/ids.ts";
import type { ClaimedTask, NewOutcome, NewTask } from "../../server/store/store.ts";

/** A store reduced to claims, attempts, checkpoints and the one end of each task, on which the scheduler relies. */
export class ModelStore {
  readonly #open = new Map<TaskIndex, NewTask>();
  readonly #claimed = new Set<TaskIndex>();
  readonly #attempts = new Map<TaskIndex, number>();
  readonly checkpoints = new Map<TaskIndex, Uint8Array>();
  /** The outcome of each task that has ended. */
  readonly ended = new Map<TaskIndex, NewOutcome>();
  dropped = 0;

  constructor(tasks: readonly NewTask[]) {
    for (const task of tasks) this.#open.set(task.index, task);
  }

  get openTasks(): number {
    return this.#open.size;
  }

  /** Forgets claims, as a restart of the server does. */
  forgetClaims(): void {
    this.#claimed.clear();
  }

  claim(limit: number): ClaimedTask[] {
    const free = [...this.#open.values()].filter(({ index }) => !this.#claimed.has(index)).slice(0, limit);
    for (const { index } of free) this.#claimed.add(index);
    return free.map((task) => ({
      ...task,
      attempts: this.#attempts.get(task.index) ?? 0,
      checkpoint: this.checkpoints.get(task.index),
    }));
  }

  unclaim(indexes: readonly TaskIndex[]): void {
    for (const index of indexes) this.#claimed.delete(index);
  }

  recordAttempts(attempts: readonly { index: TaskIndex; attempts: number }[]): void {
    for (const { index, attempts: count } of attempts) this.#attempts.set(index, count);
  }

  complete(outcomes: readonly NewOutcome[]): { accepted: TaskIndex[]; dropped: TaskIndex[] } {
    const accepted: TaskIndex[] = [];
    const dropped: TaskIndex[] = [];
    for (const outcome of outcomes) {
      this.#claimed.delete(outcome.index);
      if (this.#open.delete(outcome.index)) {
        this.ended.set(outcome.index, outcome);
        accepted.push(outcome.index);
      } else dropped.push(outcome.index);
    }
    this.dropped += dropped.length;
    return { accepted, dropped };
  }
}
