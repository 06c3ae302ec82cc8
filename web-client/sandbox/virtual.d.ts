declare module "virtual:worker-source" {
  /** The bundled source of sandbox/worker.ts; see build/standalone-scripts.ts. */
  export const workerSource: string;
}
