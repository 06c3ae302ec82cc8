/** The first message from the page to the sandbox frame; with it comes the control port. */
export interface Greeting {
  /** Source of a function that makes what page and workers share (build/common-code.ts). */
  readonly commonCode: string;
}

/** What the page says to the sandbox frame over the control port. `spawn` carries the worker's own port. */
export type ToFrame =
  | { readonly type: "spawn"; readonly id: number }
  | { readonly type: "terminate"; readonly id: number }
  | { readonly type: "ping"; readonly count: number };

/** What the sandbox frame says to the page over the control port. */
export type FromFrame =
  | { readonly type: "ready" }
  /** A worker could not start, or an error in it was caught by nobody. */
  | { readonly type: "died"; readonly id: number; readonly reason: string }
  | { readonly type: "pong"; readonly count: number };

/** First and only message a worker sends that is not comlink's: its globals are gone, kernels may come. */
export const workerReady = "manyhands:ready";
