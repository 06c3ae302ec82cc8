import type { RunnerReport } from "../ports.ts";
import type { FinishedTask } from "../sandbox-task.ts";
import { FinishedWriter } from "./finished-writer.ts";

/**
 * A finished task waits at most this long for others to share its report, or `manyEveryMs` among many; the end of a bundle
 * takes all of them along. A report costs client, server and customer some 4 ms of processor time, which a busy machine takes
 * from the kernels.
 */
const finishedEveryMs = 250;
const manyEveryMs = 20;
const many = 100;
/** Shortest time between two reports of progress and checkpoints, and therefore their greatest age. */
const stateEveryMs = 100;
/** The first lines of a task are sent at once, so that the last words before a crash are seen. */
const promptLines = 20;
/** What a kernel shows is sent at most this often. */
const showEveryMs = 1000;
/** The last that a task shows is sent with its end, unless something was sent within this time: tiny tasks would send one each. */
const lastShownMs = 250;
const linesHeld = 50;
const maxLines = 1000;
const finishedBytes = 1024 * 1024;

/**
 * Coalesces the news of one bundle into few reports. There are no timers, because a kernel that computes without a pause would
 * not let them fire.
 */
export class RunnerReporter {
  readonly #host: { report(report: RunnerReport): unknown };
  readonly #now: () => number;
  readonly #finished = new FinishedWriter();
  #finishedSentAt: number;
  #progress: RunnerReport["progress"];
  #progressSentAt = -Infinity;
  #checkpoint: RunnerReport["checkpoint"];
  #checkpointSentAt = -Infinity;
  #shownAt = -Infinity;
  /** Makes what came too soon to be sent. */
  #unshown: (() => unknown) | undefined;
  #lines: string[] = [];
  #lineCount = 0;
  #linesSentAt = -Infinity;

  constructor(host: { report(report: RunnerReport): unknown }, now: () => number) {
    this.#host = host;
    this.#now = now;
    this.#finishedSentAt = now();
  }

  addProgress(index: number, fraction: number): void {
    this.#progress = { index, fraction };
    this.#sendDue(index);
  }

  addCheckpoint(index: number, state: Uint8Array): void {
    this.#checkpoint = { index, state };
    this.#sendDue(index);
  }

  /** Sends what a kernel shows at most once a second, and the last with the task's end; makes only what it sends. */
  show(make: () => unknown): void {
    this.#unshown = make;
    if (this.#now() - this.#shownAt >= showEveryMs) this.#sendShown(make);
  }

  #sendShown(make: () => unknown): void {
    this.#unshown = undefined;
    this.#shownAt = this.#now();
    this.#send({ show: { value: make() } });
  }

  #showLast(): void {
    const make = this.#unshown;
    this.#unshown = undefined;
    if (!make || this.#now() - this.#shownAt < lastShownMs) return;
    try {
      this.#sendShown(make);
    } catch {
      // The task has ended with what it returned.
    }
  }

  addLine(index: number, line: string): void {
    this.#lineCount++;
    if (this.#lineCount > maxLines) return;
    this.#lines.push(this.#lineCount < maxLines ? line : "… further lines of this task are dropped.");
    this.#sendDue(index);
  }

  /** Adds a finished task. The output's bytes are copied, unless they have a buffer to themselves and come first. */
  addFinished(index: number, outcome: FinishedTask["outcome"]): void {
    this.#showLast();
    // A finished task's progress and checkpoint are obsolete; its log lines are not.
    this.#progress = undefined;
    this.#checkpoint = undefined;
    if (this.#lines.length > 0) this.#send({ log: { index, lines: this.#takeLines() } });
    this.#lineCount = 0;
    this.#progressSentAt = -Infinity;
    this.#checkpointSentAt = -Infinity;
    this.#finished.add(index, outcome);
    const dueMs = this.#finished.count < many ? finishedEveryMs : manyEveryMs;
    if (this.#now() - this.#finishedSentAt >= dueMs || this.#finished.bytes >= finishedBytes) this.#send({});
  }

  /** Takes the finished tasks that still wait, for the end of the bundle. */
  takeRest(): RunnerReport | undefined {
    return this.#finished.count > 0 ? { finished: this.#finished.take() } : undefined;
  }

  #sendDue(index: number): void {
    const now = this.#now();
    const progress = now - this.#progressSentAt >= stateEveryMs ? this.#progress : undefined;
    const checkpoint = now - this.#checkpointSentAt >= stateEveryMs ? this.#checkpoint : undefined;
    const prompt = this.#lineCount <= promptLines || this.#lines.length >= linesHeld;
    const lines = this.#lines.length > 0 && (prompt || now - this.#linesSentAt >= stateEveryMs);
    if (!progress && !checkpoint && !lines) return;
    if (progress) {
      this.#progress = undefined;
      this.#progressSentAt = now;
    }
    if (checkpoint) {
      this.#checkpoint = undefined;
      this.#checkpointSentAt = now;
    }
    this.#send({
      ...(progress && { progress }),
      ...(checkpoint && { checkpoint }),
      ...(lines && { log: { index, lines: this.#takeLines() } }),
    });
  }

  #takeLines(): string[] {
    const lines = this.#lines;
    this.#lines = [];
    this.#linesSentAt = this.#now();
    return lines;
  }

  #send(report: RunnerReport): void {
    if (this.#finished.count > 0) {
      this.#finishedSentAt = this.#now();
      report = { ...report, finished: this.#finished.take() };
    }
    const sent = this.#host.report(report);
    // The report of a sandbox that is ended rejects, and must not leave an unhandled rejection behind.
    if (sent instanceof Promise) sent.catch(() => undefined);
  }
}
