import { PlatformError } from "../../../../shared/errors.ts";
import type { JobId } from "../../../../shared/ids.ts";
import type { JobRow } from "../../store.ts";
import type { Transaction } from "../transaction.ts";
import { finishIfEnded } from "./ending.ts";
import type { Step } from "../database.ts";

export function* closeJob(transaction: Transaction, id: JobId): Step<JobRow> {
  const job = yield* transaction.jobs.need(id);
  const { state, inputsFrom } = job.row;
  if (state === "open" && inputsFrom !== undefined)
    throw new PlatformError(
      "WRONG_STATE",
      `Job ${id} takes its inputs from the outputs of job ${inputsFrom}, and is closed after that one has finished.`,
    );
  if (state === "open") {
    transaction.jobs.change(job, { state: "closed" });
    yield* finishIfEnded(transaction, job);
  }
  return job.row;
}
