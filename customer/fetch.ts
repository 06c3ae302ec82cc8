import type { SilenceOptions } from "../system/connections.ts";

/** How one request is sent, besides what `RequestInit` says. */
export interface FetchOptions extends Partial<SilenceOptions> {
  /** The connection does not keep the process alive. */
  readonly background?: boolean;
}

/** The part of `fetch` that is used. @throws SilenceError, also from the reply's body */
export type Fetch = (url: URL, init: RequestInit, options?: FetchOptions) => Promise<Response>;
