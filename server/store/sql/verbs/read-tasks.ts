import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { ClaimedTask } from "../../store.ts";
import { damagedTask } from "./claim.ts";
import type { Transaction } from "../transaction.ts";
import type { Step } from "../database.ts";

export function* readTasks(
  { jobs, tasks, damaged }: Transaction,
  id: JobId,
  indexes: readonly TaskIndex[],
): Step<ClaimedTask[]> {
  const { number } = yield* jobs.need(id);
  const found: ClaimedTask[] = [];
  for (const index of indexes) {
    const range = yield* tasks.rangeOf(number, index);
    if (!range) continue;
    const pack = yield* tasks.read(number, range);
    if (typeof pack === "string") {
      damaged({ what: "inputs", job: id, tasks: [index] });
      if (pack === "values") found.push(damagedTask(index));
      continue;
    }
    const [value] = pack.values([index - range.first]);
    const { payload: input, refs } = value!;
    found.push({ index, input, refs, attempts: 0, checkpoint: undefined, checkpointBy: undefined });
  }
  return found;
}
