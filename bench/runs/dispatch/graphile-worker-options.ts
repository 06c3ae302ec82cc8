import { Logger, type RunnerOptions } from "graphile-worker";

/** The advice for tiny jobs in the documentation of graphile-worker. */
export const workerOptions = {
  connectionString: process.env["POSTGRES_URL"]!,
  logger: new Logger(() => () => undefined),
  noHandleSignals: true,
  preset: {
    worker: {
      concurrentJobs: 100,
      maxPoolSize: 10,
      pollInterval: 100,
      localQueue: { size: 500 },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
    },
  },
} satisfies RunnerOptions;
