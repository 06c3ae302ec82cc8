import type { JobId } from "../../../../shared/ids.ts";
import type { JobCost, TaskTime } from "../../store.ts";
import { joinCosts } from "../../job-costs.ts";
import type { Step } from "../database.ts";
import type { Transaction } from "../transaction.ts";

interface CostColumns {
  readonly computedMs: number;
  readonly attempts: number;
  readonly slowest: string;
}

const nothing: JobCost = { computedMs: 0, attempts: 0, slowest: [] };

export function* addCosts(
  { db }: Transaction,
  costs: readonly (JobCost & { readonly job: JobId })[],
): Step<void> {
  for (const { job: id, ...cost } of costs) {
    const job = yield* db.get<{ number: number }>("SELECT number FROM jobs WHERE id = ?", id);
    if (!job) continue;
    db.write(
      "INSERT INTO jobCosts (job, computedMs, attempts, slowest) VALUES (?, 0, 0, '[]') ON CONFLICT (job) DO NOTHING",
      job.number,
    );
    const columns = yield* db.get<CostColumns>(
      "SELECT computedMs, attempts, slowest FROM jobCosts WHERE job = ? FOR UPDATE",
      job.number,
    );
    const sum = joinCosts(readCost(columns), cost);
    db.write(
      "UPDATE jobCosts SET computedMs = ?, attempts = ?, slowest = ? WHERE job = ?",
      Math.round(sum.computedMs),
      sum.attempts,
      JSON.stringify(sum.slowest),
      job.number,
    );
  }
}

export function* jobCost({ db, jobs }: Transaction, id: JobId): Step<JobCost> {
  const { number } = yield* jobs.need(id);
  return readCost(
    yield* db.get<CostColumns>("SELECT computedMs, attempts, slowest FROM jobCosts WHERE job = ?", number),
  );
}

function readCost(columns: CostColumns | undefined): JobCost {
  if (!columns) return nothing;
  const { computedMs, attempts, slowest } = columns;
  return { computedMs, attempts, slowest: JSON.parse(slowest) as TaskTime[] };
}
