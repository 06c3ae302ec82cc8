import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { Checks, JobRow, NewOutcome } from "../../store.ts";
import type { ProvisionalPack } from "../provisional-packs.ts";
import { withChecks } from "../statement.ts";
import type { ValuePack } from "../value-pack.ts";
import type { Transaction } from "../transaction.ts";
import { complete } from "./complete.ts";
import { forgetResults } from "./withdraw-provisional.ts";
import type { Step } from "../database.ts";

export function* acceptProvisional(
  transaction: Transaction,
  id: JobId,
  window: number,
  indexes: readonly TaskIndex[],
  checks?: Partial<Checks>,
): Step<{ accepted: TaskIndex[]; dropped: TaskIndex[]; reopened: TaskIndex[]; job: JobRow }> {
  const { jobs, provisional } = transaction;
  const job = yield* jobs.need(id);
  const packs = job.hasProvisional ? yield* provisional.take(job, window) : [];
  if (packs.length === 0) return { accepted: [], dropped: [...indexes], reopened: [], job: job.row };
  const { outcomes, missing, rest } = choose(packs, indexes);
  const bytes = packs.reduce((sum, pack) => sum + pack.bytes, 0);
  const reopened = yield* forgetResults(
    transaction,
    job,
    window,
    { indexes: rest, bytes },
    withChecks(job.row.statement, checks),
  );
  const { accepted, dropped } = yield* complete(transaction, id, outcomes);
  if (accepted.length > 0) {
    const { statement } = job.row;
    jobs.change(job, {
      statement: { ...statement, strangers: statement.strangers + accepted.length },
    });
  }
  return { accepted, dropped: [...dropped, ...missing], reopened, job: job.row };
}

/** The results with these indexes as outcomes, in the order of `indexes`; the indexes without a result; the results that are left. */
function choose(
  packs: readonly ProvisionalPack[],
  indexes: readonly TaskIndex[],
): { outcomes: NewOutcome[]; missing: TaskIndex[]; rest: TaskIndex[] } {
  const results = new Map<TaskIndex, { values: ValuePack; position: number }>();
  const rest: TaskIndex[] = [];
  for (const { indexes: delivered, values } of packs)
    if (!values) rest.push(...delivered);
    else
      for (let position = 0; position < delivered.length; position++)
        results.set(delivered[position]!, { values, position });
  const outcomes: NewOutcome[] = [];
  const missing: TaskIndex[] = [];
  for (const index of indexes) {
    const result = results.get(index);
    if (!result) {
      missing.push(index);
      continue;
    }
    results.delete(index);
    const { payload, refs } = result.values.value(result.position);
    outcomes.push({ state: "done", index, output: payload, refs });
  }
  return { outcomes, missing, rest: [...rest, ...results.keys()] };
}
