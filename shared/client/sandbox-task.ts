import type { BlobName } from "../data-reference.ts";
import type { Failure, VerifyingCall } from "../wire/protocol.ts";

/** A finished task. `output` is the encoded value, of any size: the core turns a large output into a blob. */
export interface FinishedTask {
  readonly index: number;
  readonly outcome:
    | { readonly state: "done"; readonly output: Uint8Array; readonly refs: readonly BlobName[] }
    | { readonly state: "failed"; readonly failure: Failure };
}

/** A task for the runner: input and resume are encoded values, and a blob input is already fetched. */
export interface SandboxTask {
  readonly index: number;
  readonly attempt: number;
  readonly input: Uint8Array;
  readonly resume?: Uint8Array;
  readonly call?: VerifyingCall;
}
