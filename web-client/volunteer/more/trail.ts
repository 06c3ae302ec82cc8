import type { SessionEvent } from "../../../shared/client/session/events.ts";
import type { SessionState } from "../../../shared/client/session/state.ts";
import type { JobId, TaskIndex } from "../../../shared/ids.ts";
import { readShown, type Shown } from "./shown.ts";

/** A task, or tasks of a bundle that finished together, on the way from this client to the server. */
export interface TrailEntry {
  readonly id: number;
  readonly job: string;
  readonly index: TaskIndex;
  readonly count: number;
  state: "finished" | "accepted" | "failed";
  /** Why the program failed. */
  readonly message?: string;
}

interface Followed extends TrailEntry {
  readonly jobId: JobId;
  readonly open: Set<TaskIndex>;
}

const entriesKept = 12;
const shownKept = 4;

/** What a kernel shows, and for which job. */
export interface ShownByJob {
  readonly job: string;
  readonly shown: Shown;
}

/** Follows tasks from the events of the client's session. */
export class Trail {
  readonly #entries: Followed[] = [];
  readonly #jobs = new Map<number, { readonly id: JobId; readonly name: string }>();
  /** By slot, the newest last. */
  readonly shown = new Map<number, ShownByJob>();
  #nextId = 1;
  #failed = 0;

  /** Newest first. */
  get entries(): readonly TrailEntry[] {
    return this.#entries;
  }

  /** Takes an event that the session has handled. */
  note(event: SessionEvent, state: Readonly<SessionState>): void {
    if (event.type === "loadStarted" || event.type === "bundleStarted") {
      const work = state.slots.get(event.slot)?.work;
      if (work?.state === "bundled")
        this.#jobs.set(event.slot, { id: work.job.id, name: work.job.descriptor.name });
    } else if (event.type === "tasksReported") this.#noteReport(event);
    else if (event.type === "messageReceived" && event.message.type === "accepted")
      this.#accept(event.message.job, event.message.indexes);
    if (state.failed > this.#failed) this.#noteFailures(state);
    this.#failed = state.failed;
  }

  #noteReport({ slot, report }: Extract<SessionEvent, { type: "tasksReported" }>): void {
    const job = this.#jobs.get(slot);
    if (!job) return;
    if (report.show !== undefined) this.#show(slot, job.name, report.show);
    const done = (report.finished ?? []).filter(({ outcome }) => outcome.state === "done");
    const indexes = done.map(({ index }) => index);
    if (indexes.length > 0) this.#add(job, indexes, "finished");
  }

  #show(slot: number, job: string, raw: unknown): void {
    const shown = readShown(raw);
    if (!shown) return;
    this.shown.delete(slot);
    this.shown.set(slot, { job, shown });
    const [oldest] = this.shown.keys();
    if (this.shown.size > shownKept) this.shown.delete(oldest!);
  }

  /** Looks for failed results in the outbox, because timeouts and crashes are no reports. */
  #noteFailures(state: Readonly<SessionState>): void {
    const known = new Set(
      this.#entries.filter(({ open }) => open.size > 0).map(({ jobId, index }) => `${jobId}/${index}`),
    );
    let missing = state.failed - this.#failed;
    for (const [id, results] of [...state.outbox].reverse())
      for (const { result } of results.values()) {
        if (missing === 0) return;
        if (result.outcome.state !== "failed" || known.has(`${id}/${result.index}`)) continue;
        missing--;
        const name = state.jobs.get(id)?.descriptor.name ?? "";
        this.#add({ id, name }, [result.index], "failed", result.outcome.failure.message);
      }
  }

  #add(
    { id, name }: { readonly id: JobId; readonly name: string },
    indexes: readonly TaskIndex[],
    state: TrailEntry["state"],
    message?: string,
  ): void {
    this.#entries.unshift({
      id: this.#nextId++,
      jobId: id,
      job: name,
      index: indexes[0]!,
      count: indexes.length,
      open: new Set(indexes),
      state,
      ...(message !== undefined && { message }),
    });
    this.#entries.length = Math.min(this.#entries.length, entriesKept);
  }

  #accept(job: JobId, indexes: readonly TaskIndex[]): void {
    for (const entry of this.#entries) {
      if (entry.jobId !== job || entry.open.size === 0) continue;
      for (const index of indexes) entry.open.delete(index);
      if (entry.open.size === 0 && entry.state === "finished") entry.state = "accepted";
    }
  }
}
