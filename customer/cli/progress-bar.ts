import cliProgress from "cli-progress";
import type { Progress } from "../progress.ts";
import { rate, span } from "./output.ts";

/** Shows how a job stands, on standard error so that standard output stays for results. */
export interface ProgressView {
  show(progress: Progress): void;
  stop(): void;
}

/** Where standard error is no terminal, a line is written this often at most. */
const lineEveryMs = 5000;

/** A bar on a terminal, plain lines now and then elsewhere, nothing when `quiet`. */
export function progressView(name: string, quiet: boolean): ProgressView {
  if (quiet) return { show: () => undefined, stop: () => undefined };
  return process.stderr.isTTY ? bar(name) : lines(name);
}

function bar(name: string): ProgressView {
  const view = new cliProgress.SingleBar(
    {
      format: `${name} {bar} {percentage}% | {value}/{total} | {details}`,
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
      const ended = progress.done + progress.failed + progress.cancelled;
      const details = { details: describe(progress) };
      if (!started) view.start(progress.total, ended, details);
      started = true;
      view.setTotal(progress.total);
      view.update(ended, details);
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
      const ended = progress.done + progress.failed + progress.cancelled;
      const line = `${name}: ${ended}/${progress.total} (${describe(progress)})`;
      if (line === last) return;
      if (performance.now() - shownAt >= lineEveryMs) write(line);
      else pending = line;
    },
    stop() {
      if (pending !== undefined) write(pending);
    },
  };
}

function describe(progress: Progress): string {
  if (progress.offlineMs > 0) return `server away for ${span(progress.offlineMs)}, still trying`;
  const { length: first } = progress.waitingFor;
  const waits = `waiting for ${first} ${first === 1 ? "job" : "jobs"}`;
  const parts = [progress.paused ? "paused" : first > 0 ? waits : progress.state];
  if (progress.running > 0) parts.push(`${progress.running} running`);
  if (progress.failed > 0) parts.push(`${progress.failed} failed`);
  if (progress.rate > 0) parts.push(rate(progress.rate));
  if (progress.estimatedMs) parts.push(`${span(progress.estimatedMs)} left`);
  return parts.join(", ");
}
