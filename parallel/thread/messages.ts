import type { MessagePort } from "node:worker_threads";
import type { ErrorBody } from "../../shared/errors.ts";

/** What the engine's thread is started with. */
export interface EngineOptions {
  readonly threads: number;
  /** Where jobs and blobs are kept; absent: in memory. */
  readonly scratch: string | undefined;
  /** What distinguishes this program from others that use the same SCRATCH. */
  readonly program: string;
  /** Where compiled code is kept. */
  readonly cacheDirectory: string;
}

/** Program → engine. */
export type ToEngine =
  { readonly type: "connection"; readonly port: MessagePort } | { readonly type: "close" };

/** Engine → program. */
export type FromEngine =
  | { readonly type: "ready"; readonly token: string }
  | { readonly type: "refused"; readonly error: Pick<ErrorBody, "code" | "message"> }
  /** Something that the person at the program should know: it may be why nothing is computed. */
  | { readonly type: "warned"; readonly message: string };
