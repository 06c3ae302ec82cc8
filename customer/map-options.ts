import type { JobOptionsInput } from "../shared/wire/rest/job-options.ts";
import type { Compare, Verify } from "../shared/wire/rest/verification.ts";
import type { WatchOptions } from "./watch-options.ts";

/** Options of `hands.map`: options of the job on the server, and of this program's view of it. */
export interface MapOptions<Output = unknown>
  extends
    Omit<JobOptionsInput, "after" | "failFast" | "inputsFrom" | "signature" | "verify" | "compare" | "check">,
    WatchOptions<Output> {
  /**
   * Verification of volunteers' results. `"audit"` (default): trusted clients compute some of them again. `{ quorum: n }`: n volunteers
   * of different networks have to agree. `"trusted"`: volunteers get no task. `"off"`: no verification.
   */
  readonly verify?: Verify;
  /**
   * Condition on which two results agree. `"bits"` (default): they are the same bytes. `{ abs, rel, norm }`: numbers a and b in one place differ
   * by at most `max(abs, rel · max(|a|, |b|), norm · m)`, where m is the largest magnitude in their array; `{ rel: 1e-3, norm: 1e-3 }` is the default
   * of jobs that require WebGPU. `"kernel"`: the kernel module's `compare(a, b)` returns true.
   */
  readonly compare?: Compare;
  /** The kernel module's `check(input, output)` and `suspicious(output)` look at every result of a volunteer; see {@link KernelExports}. */
  readonly check?: boolean;
  /**
   * Names the job across restarts of this program: with the same key, kernel and inputs the program goes on with the same job,
   * and gets every result from the first.
   */
  readonly key?: string;
  /**
   * Most unfinished tasks on the server, for endless inputs. Absent: inputs are submitted as fast as the server takes them (it
   * keeps tasks on disk).
   */
  readonly window?: number;
  /**
   * Jobs (or their ids) that must finish without a failed task before a task of this job is computed, so that a program of
   * several stages submits them all and leaves. When such a job ends otherwise, this job ends as `blocked`, and says why.
   */
  readonly after?: readonly (string | { readonly id: Promise<string> })[];
}

/** Options of `hands.executor`, which are those of its jobs. */
export type ExecutorOptions = Omit<
  MapOptions,
  "after" | "failFast" | "key" | "onBreak" | "onResult" | "signal" | "window"
>;
