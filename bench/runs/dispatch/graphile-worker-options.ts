import { Logger, type RunnerOptions } from "graphile-worker";

/** As its documentation on performance advises for tiny jobs. */
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
