/** Bounds on the usage of each customer. */
export interface Quotas {
  /** Bytes of inputs, outputs and failures of the customer's jobs, of its blobs and of its kernels. */
  readonly bytes: number;
  readonly jobs: number;
  readonly kernels: number;
  /** Tasks without an outcome of jobs that have not ended. */
  readonly openTasks: number;
}

/** Stored bytes and counts of one customer. */
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

/** No bounds, for programs whose only customer owns the machine. JSON has no Infinity. */
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
