declare module "virtual:common-code" {
  /** Source of a function that makes what sandbox/common-code.ts exports; see build/common-code.ts. */
  export const commonCode: string;
}

declare module "virtual:worker-source" {
  /** The bundled source of sandbox/worker.ts, without the common code; see build/standalone-scripts.ts. */
  export const workerSource: string;
}
