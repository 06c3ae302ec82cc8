import type { TaskIndex } from "../../../shared/ids.ts";

const none: readonly number[] = Object.freeze([]);

/** The tasks of a job that have provisional results and no outcome, with the windows of the results. */
export class ProvisionalTasks {
  /** Most tasks have a result in one window, and an array for each would cost 50 bytes more. */
  readonly #windows = new Map<TaskIndex, number | readonly number[]>();

  get size(): number {
    return this.#windows.size;
  }

  has(index: TaskIndex): boolean {
    return this.#windows.has(index);
  }

  indexes(): Iterable<TaskIndex> {
    return this.#windows.keys();
  }

  windowsOf(index: TaskIndex): readonly number[] {
    const windows = this.#windows.get(index);
    return typeof windows === "number" ? [windows] : (windows ?? none);
  }

  /** @returns false when the window had a result of the task already */
  add(index: TaskIndex, window: number): boolean {
    if (!this.#windows.has(index)) {
      this.#windows.set(index, window);
      return true;
    }
    const windows = this.windowsOf(index);
    if (windows.includes(window)) return false;
    this.#windows.set(index, [...windows, window]);
    return true;
  }

  /** Removes a task's result in a window. @returns whether the task had that result, and has no other */
  remove(index: TaskIndex, window: number): boolean {
    const windows = this.windowsOf(index);
    if (!windows.includes(window)) return false;
    const [other, ...others] = windows.filter((one) => one !== window);
    if (other === undefined) return this.#windows.delete(index);
    this.#windows.set(index, others.length === 0 ? other : [other, ...others]);
    return false;
  }

  /** Removes a task that has an outcome now. */
  delete(index: TaskIndex): void {
    this.#windows.delete(index);
  }
}
