import { createHash } from "node:crypto";
import type { BlobName } from "../../shared/data-reference.ts";
import type { JobId, Sha256 } from "../../shared/ids.ts";
import type { TaskFailure } from "../../shared/wire/rest/failures.ts";
import type { Statement } from "../../shared/wire/rest/verification.ts";
import type { NewJob, NewOutcome, NewOutput, NewTask, Store } from "../../server/store/store.ts";

/** The `n`th job id. */
export function jobId(n: number): JobId {
  return `j_${n
    .toString(26)
    .replace(/\d/g, (digit) => "qrstuvwxyz"[Number(digit)]!)
    .padStart(16, "q")}` as JobId;
}

export function sha256(text: string): Sha256 {
  return createHash("sha256").update(text).digest("hex") as Sha256;
}

export function blob(text: string): BlobName {
  return { sha256: sha256(text), size: text.length };
}

const source = "export default (x) => x * x";

/** Gives a customer a kernel, that of {@link newJob} unless told otherwise. */
export async function postKernel(store: Store, customer = "ada", text = source): Promise<void> {
  await store.putKernel(sha256(text), new TextEncoder().encode(text), customer);
}

export function newJob(changes: Partial<NewJob> = {}): NewJob {
  return {
    id: jobId(1),
    customer: "ada",
    name: "squares",
    kernel: blob(source),
    createdAt: 1_000,
    priority: 3,
    maxAttempts: 5,
    timeoutMs: 60_000,
    memoryMb: 128,
    seed: "s",
    requires: { kind: "node", trusted: true },
    failFast: true,
    math: "portable",
    portable: false,
    verify: "audit",
    compare: "bits",
    check: false,
    ...changes,
  };
}

/** The statement of a job without verified results. */
export const nothingStated: Statement = {
  strangers: 0,
  audited: 0,
  unverified: 0,
  checked: 0,
  wrong: 0,
  withdrawn: 0,
  irreproducible: false,
};

export const inputOf = (index: number): Uint8Array => new TextEncoder().encode(`input ${index}`);
export const outputOf = (index: number): Uint8Array => new TextEncoder().encode(`output ${index}`);

export function task(index: number, changes: Partial<NewTask> = {}): NewTask {
  return { index, input: inputOf(index), refs: [], ...changes };
}

/** Tasks `from` … `to - 1`. */
export function tasks(from: number, to: number): NewTask[] {
  return Array.from({ length: to - from }, (_, k) => task(from + k));
}

export function output(index: number): NewOutput {
  return { index, output: outputOf(index), refs: [] };
}

export function done(index: number): NewOutcome {
  return { state: "done", ...output(index) };
}

export function failure(index: number): TaskFailure {
  return {
    index,
    kind: "error",
    message: `no ${index}`,
    stack: "at kernel.js:1",
    attempts: 5,
    client: "c_x",
  };
}

export function failed(index: number): NewOutcome {
  return { state: "failed", index, failure: failure(index) };
}
