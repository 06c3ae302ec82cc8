import type { BlobName } from "../../../../shared/data-reference.ts";
import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { JobRow, NewOutput, WindowName } from "../../store.ts";
import { blobsOf } from "../columns.ts";
import type { Transaction } from "../transaction.ts";
import { isActive, isOpen } from "./ending.ts";
import { keepBlobs } from "./keep-blobs.ts";
import { claimProvisional, keepsClaims } from "./provisional-claims.ts";
import type { Step } from "../database.ts";

export function* keepProvisional(
  transaction: Transaction,
  id: JobId,
  window: WindowName,
  outputs: readonly NewOutput[],
): Step<{ kept: TaskIndex[]; dropped: TaskIndex[]; job: JobRow }> {
  const { provisional } = transaction;
  const job = yield* transaction.jobs.need(id);
  if (!isActive(job)) return { kept: [], dropped: outputs.map(({ index }) => index), job: job.row };
  const kept: TaskIndex[] = [];
  const dropped: TaskIndex[] = [];
  const blobs: BlobName[] = [];
  const tasks = yield* provisional.tasksOf(job);
  const at = transaction.clock();
  let bytes = 0;
  for (const one of outputs) {
    const { index, output, refs } = one;
    if (!(yield* isOpen(transaction, job, index))) {
      dropped.push(index);
      continue;
    }
    kept.push(index);
    // A repeated result is in its window already.
    if (!tasks.add(index, window.number)) continue;
    provisional.add(job, window, at, one);
    blobs.push(...blobsOf(output, refs));
    if (output instanceof Uint8Array) bytes += output.length;
  }
  if (kept.length > 0) {
    job.hasProvisional = true;
    transaction.jobs.change(job, {
      provisional: tasks.size,
      outputBytes: job.row.outputBytes + bytes,
    });
    if (blobs.length > 0) yield* keepBlobs(transaction, job, blobs);
    if (keepsClaims(job)) yield* claimProvisional(transaction, job, kept);
  }
  return { kept, dropped, job: job.row };
}
