import cliProgress from "cli-progress";
import type { Progress } from "../progress.ts";
import { quotaFullText, rate, span } from "./output.ts";

/** Shows the progress of a job on standard error, because standard output is for results. */
interface ProgressView {
  show(progress: Progress): void;
  stop(): void;
}

/** Shortest time between two lines when standard error is no terminal. */
const lineEveryMs = 5000;

/** The bar follows the fraction, which includes the progress of running tasks. */
const barSteps = 1000;

/** A bar on a terminal, plain lines now and then elsewhere, no output with `quiet`. */
export function progressView(name: string, quiet: boolean): ProgressView {
  if (quiet) return { show: () => undefined, stop: () => undefined };
  return process.stderr.isTTY ? bar(name) : lines(name);
}

function bar(name: string): ProgressView {
  const view = new cliProgress.SingleBar(
    {
      format: `${name} {bar} {percentage}% | {tasks} | {details}`,
      hideCursor: true,
      clearOnComplete: false,
      stream: process.stderr,
      fps: 5,
    },
    cliProgress.Presets.shades_grey,
  );
  let started = false;
  return {
    show(progress) {
      const payload = { tasks: tasksOf(progress), details: describe(progress) };
      const value = Math.floor(progress.fraction * barSteps);
      if (!started) view.start(barSteps, value, payload);
      started = true;
      view.update(value, payload);
    },
    stop() {
      if (started) view.stop();
    },
  };
}

function lines(name: string): ProgressView {
  let shownAt = -Infinity;
  let last = "";
  let pending: string | undefined;
  const write = (line: string): void => {
    process.stderr.write(`${line}\n`);
    shownAt = performance.now();
    last = line;
    pending = undefined;
  };
  return {
    show(progress) {
      const percent = progress.running > 0 ? `, ${Math.floor(progress.fraction * 100)}%` : "";
      const line = `${name}: ${tasksOf(progress)}${percent} (${describe(progress)})`;
      if (line === last) return;
      if (performance.now() - shownAt >= lineEveryMs) write(line);
      else pending = line;
    },
    stop() {
      if (pending !== undefined) write(pending);
    },
  };
}

/** Ended tasks of all. */
function tasksOf({ done, failed, cancelled, total }: Progress): string {
  return `${done + failed + cancelled}/${total}`;
}

function describe(progress: Progress): string {
  if (progress.offlineMs > 0) return `server away for ${span(progress.offlineMs)}, still trying`;
  const { length: first } = progress.waitingFor;
  const waits = `waiting for ${first} ${first === 1 ? "job" : "jobs"}`;
  const parts = [progress.paused ? "paused" : first > 0 ? waits : progress.state];
  const { length: missing } = progress.missingData;
  if (missing > 0) parts.push(`${missing} damaged ${missing === 1 ? "blob" : "blobs"} to be put again`);
  if (progress.quotaFull) parts.push(quotaFullText);
  if (progress.running > 0) parts.push(`${progress.running} running`);
  if (progress.provisional > 0) parts.push(`${progress.provisional} provisional`);
  if (progress.failed > 0) parts.push(`${progress.failed} failed`);
  if (progress.rate > 0) parts.push(rate(progress.rate));
  if (progress.estimatedMs) parts.push(`${span(progress.estimatedMs)} left`);
  return parts.join(", ");
}
