/** Bounds on what one customer keeps. */
export interface Quotas {
  /** Inputs, outputs and failures of its jobs, its blobs and its kernels. */
  readonly bytes: number;
  readonly jobs: number;
  readonly kernels: number;
  /** Tasks without an outcome of jobs that have not ended. */
  readonly openTasks: number;
}

/** What one customer keeps. */
export interface Usage {
  readonly inputBytes: number;
  /** Failures included. */
  readonly outputBytes: number;
  readonly blobBytes: number;
  readonly kernelBytes: number;
  readonly jobs: number;
  readonly kernels: number;
  readonly openTasks: number;
}

/** For programs whose only customer owns the machine. JSON has no Infinity. */
export const noQuotas: Quotas = {
  bytes: Number.MAX_SAFE_INTEGER,
  jobs: Number.MAX_SAFE_INTEGER,
  kernels: Number.MAX_SAFE_INTEGER,
  openTasks: Number.MAX_SAFE_INTEGER,
};

/** Bytes of all kinds together. */
export function usedBytes({ inputBytes, outputBytes, blobBytes, kernelBytes }: Usage): number {
  return inputBytes + outputBytes + blobBytes + kernelBytes;
}
