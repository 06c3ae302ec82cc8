import type { MessagePort } from "node:worker_threads";
import type { ErrorBody } from "../../shared/errors.ts";

/** Start data of the engine's thread. */
export interface EngineOptions {
  readonly threads: number;
  /** Directory of jobs and blobs; absent: memory. */
  readonly scratch: string | undefined;
  /** Name that distinguishes this program from others with the same SCRATCH. */
  readonly program: string;
  /** Directory of compiled code. */
  readonly cacheDirectory: string;
}

/** Program → engine. */
export type ToEngine =
  { readonly type: "connection"; readonly port: MessagePort } | { readonly type: "close" };

/** Engine → program. */
export type FromEngine =
  | { readonly type: "ready"; readonly token: string }
  | { readonly type: "refused"; readonly error: ErrorBody }
  /** A warning for the person at the program, which may explain why no task is computed. */
  | { readonly type: "warned"; readonly message: string };
