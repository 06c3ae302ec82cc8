import { PlatformError } from "../../shared/errors.ts";
import type { BlobName } from "../../shared/data-reference.ts";
import type { JobId, TaskIndex } from "../../shared/ids.ts";
import type { Payload } from "../../shared/wire/protocol.ts";
import type { FailureGroups } from "../../shared/wire/rest/failures.ts";
import { hasEnded } from "../../shared/wire/rest/job-state.ts";
import type { TaskInfo } from "../../shared/wire/rest/tasks.ts";
import type { Scheduler } from "../scheduler/scheduler.ts";
import type { JobRow, Store } from "../store/store.ts";
import type { ClientRegistry } from "./client-registry.ts";
import { FailureGrouping } from "./failure-groups.ts";
import type { JobReader } from "./job-reader.ts";
import type { RunHistory } from "./run-history.ts";

/** Failures of one read: a few milliseconds. */
const failuresAtOnce = 1_000;

interface Sources {
  readonly store: Store;
  readonly scheduler: Scheduler;
  readonly registry: ClientRegistry;
  readonly jobs: JobReader;
  readonly history: RunHistory;
}

/** Reads single tasks, and failed tasks by what failed. */
export class TaskReader {
  readonly #from: Sources;

  constructor(sources: Sources) {
    this.#from = sources;
  }

  /** @throws PlatformError NOT_FOUND */
  async task(id: JobId, index: TaskIndex): Promise<TaskInfo> {
    const { store, scheduler, jobs, history } = this.#from;
    const row = await jobs.row(id);
    const outcome = await store.outcomeOf(id, index);
    const [task] = await store.readTasks(id, [index]);
    if (!task && !outcome)
      throw new PlatformError(
        "NOT_FOUND",
        `Job ${id} has no task ${index}.`,
        undefined,
        "`manyhands job ID` tells how many tasks it has.",
      );
    const leases = this.#leases(id, index);
    const { lines } = await jobs.logs(id);
    const isProvisional = !outcome && row.provisional > 0 && (await this.#isProvisional(id, index));
    const place = scheduler.state.jobs.get(id)?.tasks.get(index)?.place;
    return {
      index,
      state: outcome ? outcome.state : stateOf(row, isProvisional, leases.length > 0 || place === "settling"),
      input: task ? sizeOf(task.input, task.refs) : null,
      output: outcome?.state === "done" ? sizeOf(outcome.output, outcome.refs) : null,
      seq: outcome?.seq ?? null,
      ...(outcome?.state === "failed" && { failure: outcome.failure }),
      runs: history.runsOf(id, index).map(({ failure, ...run }) => ({ ...run, ...(failure && { failure }) })),
      leases,
      log: lines.filter((line) => line.index === index).map(({ at, client, line }) => ({ at, client, line })),
    };
  }

  /** @throws PlatformError NOT_FOUND */
  async failureGroups(id: JobId): Promise<FailureGroups> {
    const { store, jobs } = this.#from;
    const row = await jobs.row(id);
    const grouping = new FailureGrouping();
    for (let after = 0; ;) {
      const page = await store.failuresAfter(id, after, failuresAtOnce);
      for (const { failure } of page) grouping.add(failure);
      const last = page.at(-1);
      if (!last || page.length < failuresAtOnce || grouping.isFull) break;
      after = last.seq;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return grouping.groups(row.failed);
  }

  async #isProvisional(id: JobId, index: TaskIndex): Promise<boolean> {
    const [found] = await this.#from.store.provisionalResults(id, index - 1, 1, 1);
    return found?.index === index;
  }

  #leases(id: JobId, index: TaskIndex): TaskInfo["leases"] {
    const { scheduler, registry } = this.#from;
    const now = performance.now();
    return (scheduler.state.jobs.get(id)?.tasks.get(index)?.leases ?? []).map(
      ({ client, attempt, leasedAt, progress }) => ({
        attempt,
        client,
        name: registry.name(client),
        sinceMs: Math.max(0, Math.round(now - leasedAt)),
        progress,
      }),
    );
  }
}

function stateOf(row: JobRow, isProvisional: boolean, isLeased: boolean): TaskInfo["state"] {
  if (row.state === "cancelled") return "cancelled";
  if (hasEnded(row.state)) return "failed";
  if (isProvisional) return "provisional";
  return isLeased ? "running" : "queued";
}

function sizeOf(payload: Payload, refs: readonly BlobName[]): NonNullable<TaskInfo["input"]> {
  const others =
    payload instanceof Uint8Array ? refs : refs.filter(({ sha256 }) => sha256 !== payload.sha256);
  return {
    bytes: payload instanceof Uint8Array ? payload.length : payload.size,
    ...(!(payload instanceof Uint8Array) && { blob: payload.sha256 }),
    references: others.length,
    referencedBytes: others.reduce((sum, { size }) => sum + size, 0),
  };
}
