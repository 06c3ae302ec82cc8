import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { ClaimedTask } from "../../store.ts";
import type { Transaction } from "../transaction.ts";

export function readTasks(
  { jobs, tasks }: Transaction,
  id: JobId,
  indexes: readonly TaskIndex[],
): ClaimedTask[] {
  const { number } = jobs.need(id);
  const found: ClaimedTask[] = [];
  for (const index of indexes) {
    const range = tasks.rangeOf(number, index);
    if (!range) continue;
    const [value] = tasks.read(number, range).values([index - range.first]);
    const { payload: input, refs } = value!;
    found.push({ index, input, refs, attempts: 0, checkpoint: undefined, checkpointBy: undefined });
  }
  return found;
}
