import type { SilenceOptions } from "../system/silence.ts";

/** Options of a request beside those of `RequestInit`. */
export interface FetchOptions extends Partial<SilenceOptions> {
  /** The connection does not keep the process alive. */
  readonly background?: boolean;
}

/** The used part of `fetch`. @throws SilenceError, also from the reply's body */
export type Fetch = (url: URL, init: RequestInit, options?: FetchOptions) => Promise<Response>;
