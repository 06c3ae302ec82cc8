import type { TaskIndex } from "../../shared/ids.ts";
import { agree } from "../../server/dispatch/agree.ts";
import type { ClaimedTask, NewOutput } from "../../server/store/store.ts";
import { EventQueue } from "../event-queue.ts";

const input = new Uint8Array();

/** The part of the store that verification needs, of one closed job, in memory. Answers as the store's contract says. */
export class StoreModel {
  readonly #tasks: number;
  /** Provisional results by window. */
  readonly #windows = new Map<number, Map<TaskIndex, Uint8Array>>();
  /** Number of provisional results of each task. */
  readonly #provisional: Uint8Array;
  readonly #done: Uint8Array;
  readonly #reopened = new EventQueue<undefined>();
  #unclaimed = 0;
  done = 0;

  constructor(tasks: number) {
    this.#tasks = tasks;
    this.#provisional = new Uint8Array(tasks);
    this.#done = new Uint8Array(tasks);
  }

  get isFinished(): boolean {
    return this.done === this.#tasks;
  }

  claim(limit: number): ClaimedTask[] {
    const tasks: ClaimedTask[] = [];
    while (tasks.length < limit) {
      const index = this.#reopened.take()?.at ?? this.#unclaimed++;
      if (index >= this.#tasks) break;
      if (!this.#done[index]) tasks.push(claimed(index));
    }
    return tasks;
  }

  unclaim(indexes: readonly TaskIndex[]): void {
    for (const index of indexes) this.#reopened.add(index, undefined);
  }

  readTasks(indexes: readonly TaskIndex[]): ClaimedTask[] {
    return indexes.map(claimed);
  }

  keep(window: number, outputs: readonly NewOutput[]): { kept: TaskIndex[]; dropped: TaskIndex[] } {
    const kept: TaskIndex[] = [];
    const dropped: TaskIndex[] = [];
    let results = this.#windows.get(window);
    if (!results) this.#windows.set(window, (results = new Map()));
    for (const { index, output } of outputs) {
      if (this.#done[index]) {
        dropped.push(index);
        continue;
      }
      kept.push(index);
      if (results.has(index)) continue;
      results.set(index, output as Uint8Array);
      this.#provisional[index]! += 1;
    }
    return { kept, dropped };
  }

  output(window: number, index: TaskIndex): Uint8Array | undefined {
    return this.#windows.get(window)?.get(index);
  }

  /** Whether an output agrees with another, or with the provisional one of the window. */
  agree(
    window: number,
    index: TaskIndex,
    first: Uint8Array | undefined,
    second: Uint8Array,
  ): boolean | "gone" {
    const other = first ?? this.output(window, index);
    return other === undefined ? "gone" : agree(other, second, "bits");
  }

  /** Makes provisional results of a window outcomes. @returns the outputs of those that are accepted */
  accept(
    window: number,
    indexes: readonly TaskIndex[],
  ): { accepted: Map<TaskIndex, Uint8Array>; dropped: TaskIndex[] } {
    const results = this.#windows.get(window);
    const accepted = new Map<TaskIndex, Uint8Array>();
    const dropped: TaskIndex[] = [];
    for (const index of indexes) {
      const output = results?.get(index);
      if (output !== undefined && this.#end(index)) accepted.set(index, output);
      else dropped.push(index);
    }
    for (const index of results?.keys() ?? []) this.#provisional[index]! -= 1;
    this.#windows.delete(window);
    return { accepted, dropped };
  }

  /** Withdraws provisional results of a window, all without `indexes`. */
  withdraw(
    window: number,
    indexes: readonly TaskIndex[] | undefined,
  ): { withdrawn: TaskIndex[]; reopened: TaskIndex[] } {
    const results = this.#windows.get(window);
    const withdrawn = [...(indexes ?? results?.keys() ?? [])].filter((index) => results?.delete(index));
    if (!indexes) this.#windows.delete(window);
    const reopened: TaskIndex[] = [];
    for (const index of withdrawn)
      if ((this.#provisional[index]! -= 1) === 0 && !this.#done[index]) reopened.push(index);
    this.unclaim(reopened);
    return { withdrawn, reopened };
  }

  /** Records outcomes of trusted clients. */
  complete(indexes: readonly TaskIndex[]): { accepted: TaskIndex[]; dropped: TaskIndex[] } {
    const accepted: TaskIndex[] = [];
    const dropped: TaskIndex[] = [];
    for (const index of indexes) (this.#end(index) ? accepted : dropped).push(index);
    return { accepted, dropped };
  }

  #end(index: TaskIndex): boolean {
    if (this.#done[index]) return false;
    this.#done[index] = 1;
    this.done += 1;
    return true;
  }
}

function claimed(index: TaskIndex): ClaimedTask {
  return { index, input, refs: [], attempts: 0, checkpoint: undefined };
}
