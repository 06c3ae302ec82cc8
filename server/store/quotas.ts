/** Bounds on the usage of each customer. */
export interface Quotas {
  /** Bytes of inputs, outputs and failures of the customer's jobs, of its blobs and of its kernels. */
  readonly bytes: number;
  readonly jobs: number;
  readonly kernels: number;
  /** Tasks without an outcome of jobs that have not ended. */
  readonly openTasks: number;
}

/** Bounds that an administrator gave one customer, in place of those of the server. */
export type OwnQuotas = Partial<Quotas>;

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

/** Usage of a customer that keeps nothing. */
export const nothing: Usage = {
  inputBytes: 0,
  outputBytes: 0,
  blobBytes: 0,
  kernelBytes: 0,
  jobs: 0,
  kernels: 0,
  openTasks: 0,
};

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
