/** The part of `fetch` that is used; `background`: the connection does not keep the process alive. */
export type Fetch = (url: URL, init: RequestInit, background?: boolean) => Promise<Response>;
