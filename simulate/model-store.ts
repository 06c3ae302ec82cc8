import type { TaskIndex } from "../shared/ids.ts";
import type { ClaimedTask } from "../server/store/store.ts";

const input = new Uint8Array([1]);

/** The tasks and provisional results of one job in memory, with the answers that the store gives (server/store/store.ts). */
export class ModelStore {
  readonly #tasks: number;
  /** Tasks below are claimed, or in `reopened`. */
  #cursor = 0;
  readonly #reopened: TaskIndex[] = [];
  readonly #ended: Uint8Array;
  /** Outputs of each window, by task. */
  readonly #windows = new Map<number, Map<TaskIndex, Uint8Array>>();
  /** Accepted outputs. */
  done = 0;

  constructor(tasks: number) {
    this.#tasks = tasks;
    this.#ended = new Uint8Array(tasks);
  }

  get isFinished(): boolean {
    return this.done === this.#tasks;
  }

  claim(limit: number): ClaimedTask[] {
    const indexes: TaskIndex[] = [];
    while (indexes.length < limit && this.#reopened.length > 0) {
      const index = this.#reopened.shift()!;
      if (this.#ended[index] === 0) indexes.push(index);
    }
    while (indexes.length < limit && this.#cursor < this.#tasks) indexes.push(this.#cursor++);
    return this.read(indexes.sort((a, b) => a - b));
  }

  read(indexes: readonly TaskIndex[]): ClaimedTask[] {
    return indexes.map((index) => ({ index, input, refs: [], attempts: 0, checkpoint: undefined }));
  }

  /** @returns the outputs that became outcomes */
  complete(outputs: readonly { index: TaskIndex; output: Uint8Array }[]): typeof outputs {
    return outputs.filter(({ index }) => {
      if (this.#ended[index] !== 0) return false;
      this.#ended[index] = 1;
      this.done += 1;
      return true;
    });
  }

  keep(window: number, outputs: readonly { index: TaskIndex; output: Uint8Array }[]): TaskIndex[] {
    const kept = this.#windows.get(window) ?? new Map<TaskIndex, Uint8Array>();
    this.#windows.set(window, kept);
    const open = outputs.filter(({ index }) => this.#ended[index] === 0);
    for (const { index, output } of open) kept.set(index, output);
    return open.map(({ index }) => index);
  }

  output(window: number, index: TaskIndex): Uint8Array | undefined {
    return this.#windows.get(window)?.get(index);
  }

  accept(window: number, indexes: readonly TaskIndex[]): readonly { index: TaskIndex; output: Uint8Array }[] {
    const kept = this.#windows.get(window);
    this.#windows.delete(window);
    return this.complete(
      indexes.flatMap((index) => {
        const output = kept?.get(index);
        return output ? [{ index, output }] : [];
      }),
    );
  }

  /** @returns the withdrawn outputs */
  withdraw(window: number, indexes: readonly TaskIndex[] | undefined): [TaskIndex, Uint8Array][] {
    const kept = this.#windows.get(window);
    if (!kept) return [];
    const withdrawn = [...kept].filter(([index]) => !indexes || indexes.includes(index));
    for (const [index] of withdrawn) {
      kept.delete(index);
      if (this.#ended[index] === 0) this.#reopened.push(index);
    }
    if (kept.size === 0) this.#windows.delete(window);
    return withdrawn;
  }
}
