declare module "virtual:worker-source" {
  /** The bundled source of sandbox/worker.ts; see build/sandbox-page.ts. */
  export const workerSource: string;
}
