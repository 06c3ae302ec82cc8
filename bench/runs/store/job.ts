import type { JobId, Sha256 } from "../../../shared/ids.ts";
import type { NewJob, Store } from "../../../server/store/store.ts";

const job: NewJob = {
  id: "j_benchbenchbench2" as JobId,
  customer: "bench",
  name: "bench",
  kernel: { sha256: "00".repeat(32) as Sha256, size: 1 },
  createdAt: Date.now(),
  priority: 0,
  maxAttempts: 5,
  timeoutMs: 1000,
  memoryMb: 64,
  seed: "0",
  requires: {},
  failFast: true,
  math: "portable",
  portable: false,
  verify: "audit",
  compare: "bits",
  check: false,
};

/** Makes an open job without tasks. */
export async function makeJob(store: Store): Promise<JobId> {
  await store.putKernel(job.kernel.sha256, new Uint8Array(1), job.customer);
  await store.createJob(job);
  return job.id;
}
