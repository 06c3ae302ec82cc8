import { Worker } from "node:worker_threads";
import type { SeedReport, WorldName } from "./run-seed.ts";

/** A seed takes some 100 ms; one that is not done after this is in an endless loop. */
const longestMs = 120_000;

/**
 * Runs seeds in threads of their own, each thread one world after the other.
 * @param onReport - called with each report, in no order
 */
export async function runSeeds(
  worlds: Iterable<WorldName>,
  { threads, onReport }: { threads: number; onReport: (report: SeedReport) => void },
): Promise<void> {
  const queue = worlds[Symbol.iterator]();
  await Promise.all(Array.from({ length: threads }, () => runThread(queue, onReport)));
}

function runThread(queue: Iterator<WorldName>, onReport: (report: SeedReport) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let worker: Worker | undefined;
    let watchdog: NodeJS.Timeout | undefined;
    const next = (): void => {
      clearTimeout(watchdog);
      const { done, value: world } = queue.next();
      if (done) return void (worker?.terminate() ?? Promise.resolve()).then(() => resolve(), reject);
      worker ??= start();
      const running = worker;
      watchdog = setTimeout(() => {
        worker = undefined;
        void running.terminate();
        const failure = `[WAIT-1] no step of the world ended within ${longestMs / 1000} s: an endless loop`;
        onReport({ ...world, hash: "", steps: 0, faults: [], virtualMs: 0, failure });
        next();
      }, longestMs);
      running.postMessage(world);
    };
    const start = (): Worker => {
      const started = new Worker(new URL("worker.ts", import.meta.url));
      started.on("error", reject);
      started.on("message", (report: SeedReport) => {
        onReport(report);
        next();
      });
      return started;
    };
    next();
  });
}
