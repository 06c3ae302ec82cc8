import type { ClientId, JobId, TaskIndex } from "../../shared/ids.ts";
import type { TaskResult } from "../../shared/wire/protocol.ts";
import { joinCosts, slowestKept } from "../store/job-costs.ts";
import type { JobCost, Store, TaskTime } from "../store/store.ts";

/** Runs that are remembered, of all jobs together: about 40 bytes each. */
const runsKept = 50_000;
/** Costs reach the store this often: `kill -9` loses those of this time. */
const flushMs = 5_000;

/** A run of a task that ended with a result or failure. */
export interface Run {
  readonly attempt: number;
  readonly client: ClientId;
  readonly name: string;
  /** ms since the Unix epoch. */
  readonly endedAt: number;
  readonly elapsedMs: number;
  readonly failure: TaskResultFailure | undefined;
}

type TaskResultFailure = Extract<TaskResult["outcome"], { state: "failed" }>["failure"];

/** The results of one message, in columns. */
interface Runs {
  readonly job: JobId;
  readonly client: ClientId;
  readonly name: string;
  readonly at: number;
  /** Index, attempt and time of each. */
  readonly numbers: Float64Array;
  readonly failures: ReadonlyMap<number, TaskResultFailure> | undefined;
}

/** What clients spent on jobs, and how their latest runs went. The costs are stored; the runs are forgotten with the process. */
export class RunHistory {
  readonly #store: Pick<Store, "addCosts" | "jobCost">;
  readonly #failed: (error: unknown) => void;
  readonly #recent: Runs[] = [];
  #recentCount = 0;
  /** Costs on their way to the store. */
  #pending = new Map<JobId, { computedMs: number; attempts: number; slowest: TaskTime[] }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(store: Pick<Store, "addCosts" | "jobCost">, failed: (error: unknown) => void) {
    this.#store = store;
    this.#failed = failed;
  }

  /** @param times - of the runs in ms, in the order of the results; NaN where the client had no lease */
  add(job: JobId, client: ClientId, name: string, results: readonly TaskResult[], times: Float64Array): void {
    const cost = this.#costOf(job);
    const numbers = new Float64Array(results.length * 3);
    let failures: Map<number, TaskResultFailure> | undefined;
    for (const [at, { index, attempt, outcome }] of results.entries()) {
      const elapsedMs = times[at]!;
      numbers[at * 3] = index;
      numbers[at * 3 + 1] = attempt;
      numbers[at * 3 + 2] = elapsedMs;
      if (outcome.state === "failed") (failures ??= new Map()).set(at, outcome.failure);
      if (Number.isNaN(elapsedMs)) continue;
      cost.computedMs += elapsedMs;
      cost.attempts++;
      noteSlow(cost.slowest, index, elapsedMs, name);
    }
    this.#recent.push({ job, client, name, at: Date.now(), numbers, failures });
    this.#recentCount += results.length;
    while (this.#recentCount > runsKept) this.#recentCount -= this.#recent.shift()!.numbers.length / 3;
    this.#timer ??= setTimeout(() => void this.flush(), flushMs).unref();
  }

  /** The remembered runs of a task, oldest first. */
  runsOf(job: JobId, index: TaskIndex): Run[] {
    const found: Run[] = [];
    for (const runs of this.#recent) {
      if (runs.job !== job) continue;
      const { numbers, client, name, at: endedAt, failures } = runs;
      for (let at = 0; at < numbers.length; at += 3) {
        const elapsedMs = numbers[at + 2]!;
        if (numbers[at] !== index || Number.isNaN(elapsedMs)) continue;
        found.push({
          attempt: numbers[at + 1]!,
          client,
          name,
          endedAt,
          elapsedMs,
          failure: failures?.get(at / 3),
        });
      }
    }
    return found;
  }

  /** What a job cost so far. */
  async cost(job: JobId): Promise<JobCost> {
    const stored = await this.#store.jobCost(job);
    const pending = this.#pending.get(job);
    return pending ? joinCosts(stored, pending) : stored;
  }

  /** Writes the costs; those of a failed write are written with the next. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const costs = this.#pending;
    if (costs.size === 0) return;
    this.#pending = new Map();
    try {
      await this.#store.addCosts([...costs].map(([job, cost]) => ({ job, ...cost })));
    } catch (error) {
      for (const [job, cost] of costs) {
        const later = this.#pending.get(job);
        const sum = later ? joinCosts(cost, later) : cost;
        this.#pending.set(job, { ...sum, slowest: [...sum.slowest] });
      }
      this.#failed(error);
    }
  }

  #costOf(job: JobId): { computedMs: number; attempts: number; slowest: TaskTime[] } {
    let cost = this.#pending.get(job);
    if (!cost) this.#pending.set(job, (cost = { computedMs: 0, attempts: 0, slowest: [] }));
    return cost;
  }
}

/** Keeps the slowest runs, the slowest first. Most runs are not among them, and cost one comparison. */
function noteSlow(slowest: TaskTime[], index: TaskIndex, elapsedMs: number, client: string): void {
  if (slowest.length >= slowestKept && elapsedMs <= slowest.at(-1)!.elapsedMs) return;
  const before = slowest.findIndex((run) => run.index === index);
  if (before >= 0 && slowest[before]!.elapsedMs >= elapsedMs) return;
  if (before >= 0) slowest.splice(before, 1);
  const at = slowest.findIndex((run) => run.elapsedMs < elapsedMs);
  slowest.splice(at < 0 ? slowest.length : at, 0, { index, elapsedMs: Math.round(elapsedMs), client });
  if (slowest.length > slowestKept) slowest.pop();
}
