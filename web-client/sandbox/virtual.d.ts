declare module "virtual:common-code" {
  /** Source of a function that makes the exports of sandbox/common-code.ts; see build/common-code.ts. */
  export const commonCode: string;
}

declare module "virtual:worker-source" {
  /** The bundled source of sandbox/worker.ts, without the common code; see build/standalone-scripts.ts. */
  export const workerSource: string;
}
