import { PlatformError } from "../../../../shared/errors.ts";
import type { JobId } from "../../../../shared/ids.ts";
import type { JobRow } from "../../store.ts";
import type { Transaction } from "../transaction.ts";
import { finishIfEnded } from "./ending.ts";

export function closeJob(transaction: Transaction, id: JobId): JobRow {
  const job = transaction.jobs.need(id);
  const { state, inputsFrom } = job.row;
  if (state === "open" && inputsFrom !== undefined)
    throw new PlatformError(
      "WRONG_STATE",
      `Job ${id} takes its inputs from the outputs of job ${inputsFrom}, and is closed after that one has finished.`,
    );
  if (state === "open") {
    transaction.jobs.change(job, { state: "closed" });
    finishIfEnded(transaction, job);
  }
  return job.row;
}
