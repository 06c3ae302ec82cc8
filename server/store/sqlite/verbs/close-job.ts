import type { JobId } from "../../../../shared/ids.ts";
import type { JobRow } from "../../store.ts";
import type { Transaction } from "../transaction.ts";
import { finishIfEnded } from "./ending.ts";

export function closeJob(transaction: Transaction, id: JobId): JobRow {
  const job = transaction.jobs.need(id);
  if (job.row.state === "open") {
    transaction.jobs.change(job, { state: "closed" });
    finishIfEnded(transaction, job);
  }
  return job.row;
}
