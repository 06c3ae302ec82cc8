import type { SessionEvent } from "../../../shared/client/session/events.ts";
import type { Bundle, SessionState } from "../../../shared/client/session/state.ts";
import type { JobId, TaskIndex } from "../../../shared/ids.ts";
import type { ServerMessage } from "../../../shared/wire/protocol.ts";
import { readShown, type Shown } from "./shown.ts";

/** The way of a task, in order (SPEC.md [VOLUNTEER-5]). `delivered`: the server has the result, and has not verified it yet. */
export const steps = ["computing", "finished", "delivered", "accepted", "checked"] as const;
export type Step = (typeof steps)[number];

/** A task, or the tasks of a bundle, on the way from this client to the server. */
export interface TrailEntry {
  readonly id: number;
  readonly job: string;
  readonly index: TaskIndex;
  readonly count: number;
  readonly state: Step | "failed" | "withdrawn";
  /** Why the program failed. */
  readonly message?: string;
}

interface Followed {
  readonly id: number;
  readonly jobId: JobId;
  readonly job: string;
  /** Bundle of the session that computes what is `computing`. */
  readonly bundle?: Bundle;
  readonly tasks: Map<TaskIndex, TrailEntry["state"]>;
  readonly message?: string;
}

const entriesKept = 12;
const shownKept = 4;

/** What a kernel shows, and for which job. */
export interface ShownByJob {
  readonly job: string;
  readonly shown: Shown;
}

/** Entries and numbers of a trail that the page shows. */
export interface ShownTrail {
  /** Newest first. */
  readonly entries: readonly TrailEntry[];
  /** Entries by slot, the newest last. */
  readonly shown: ReadonlyMap<number, ShownByJob>;
  /** Results that were accepted since the page began to follow, checked ones included; undefined while none was provisional. */
  readonly verified: { readonly accepted: number; readonly checked: number } | undefined;
}

/** Follows tasks from the events of the client's session. */
export class Trail implements ShownTrail {
  #entries: Followed[] = [];
  readonly #jobs = new Map<number, { readonly id: JobId; readonly name: string }>();
  readonly shown = new Map<number, ShownByJob>();
  verified: ShownTrail["verified"];
  #accepted = 0;
  #checked = 0;
  #nextId = 1;
  #failed = 0;
  #follows = false;

  get entries(): readonly TrailEntry[] {
    return this.#entries.map(({ id, job, tasks, message }) => ({
      id,
      job,
      index: tasks.keys().next().value!,
      count: tasks.size,
      state: stateOf([...tasks.values()]),
      ...(message !== undefined && { message }),
    }));
  }

  /** Takes an event that the session has handled. */
  note(event: SessionEvent, state: Readonly<SessionState>): void {
    if (!this.#follows) this.#takeOver(state);
    if (event.type === "loadStarted" || event.type === "bundleStarted") {
      const work = state.slots.get(event.slot)?.work;
      if (work?.state === "bundled") this.#begin(work);
    } else if (event.type === "tasksReported") this.#noteReport(event);
    else if (event.type === "messageReceived") this.#hear(event.message);
    if (state.failed > this.#failed) this.#noteFailures(state);
    this.#failed = state.failed;
    this.#dropHandedBack(state);
  }

  /** The first tasks are computed before this code is there. */
  #takeOver({ slots }: Readonly<SessionState>): void {
    this.#follows = true;
    for (const { work } of slots.values())
      if (work.state === "bundled" && work.phase !== "preparing") this.#begin(work);
  }

  #begin(bundle: Bundle): void {
    const { id, descriptor } = bundle.job;
    const job = { id, name: descriptor.name };
    this.#jobs.set(bundle.slot.number, job);
    if (!this.#entries.some((entry) => entry.bundle === bundle))
      this.#add(job, [...bundle.remaining.keys()], "computing", { bundle });
  }

  #noteReport({ slot, report }: Extract<SessionEvent, { type: "tasksReported" }>): void {
    const job = this.#jobs.get(slot);
    if (!job) return;
    if (report.show !== undefined) this.#show(slot, job.name, report.show);
    const done = (report.finished ?? []).filter(({ outcome }) => outcome.state === "done");
    const unknown = done
      .map(({ index }) => index)
      .filter((index) => !this.#move(job.id, index, "finished", "computing"));
    if (unknown.length > 0) this.#add(job, unknown, "finished");
  }

  #show(slot: number, job: string, raw: unknown): void {
    const shown = readShown(raw);
    if (!shown) return;
    this.shown.delete(slot);
    this.shown.set(slot, { job, shown });
    const [oldest] = this.shown.keys();
    if (this.shown.size > shownKept) this.shown.delete(oldest!);
  }

  #hear(message: ServerMessage): void {
    if (message.type === "accepted") {
      const { job, indexes, provisional } = message;
      for (const index of indexes) {
        this.#move(job, index, provisional ? "delivered" : "accepted", "finished");
        if (!provisional && !this.#isFailed(job, index)) this.#accepted++;
      }
      if (provisional || this.verified) this.#countVerified();
    } else if (message.type === "verdict") {
      const { job, indexes, state } = message;
      for (const index of indexes) this.#move(job, index, state, "delivered");
      if (state !== "withdrawn") this.#accepted += indexes.length;
      if (state === "checked") this.#checked += indexes.length;
      this.#countVerified();
    }
  }

  #countVerified(): void {
    this.verified = { accepted: this.#accepted, checked: this.#checked };
  }

  /** Takes a task from one state to the next; false when no entry has it in that state. */
  #move(job: JobId, index: TaskIndex, to: TrailEntry["state"], from: TrailEntry["state"]): boolean {
    const entry = this.#entries.find(({ jobId, tasks }) => jobId === job && tasks.get(index) === from);
    entry?.tasks.set(index, to);
    return entry !== undefined;
  }

  /** Adds failures of which no event tells alone: timeouts and crashes are no reports. */
  #noteFailures({ failed, failures }: Readonly<SessionState>): void {
    for (const { job: id, name, index, message } of failures.slice(this.#failed - failed)) {
      if (this.#isFailed(id, index)) continue;
      for (const { jobId, tasks } of this.#entries)
        if (jobId === id && tasks.get(index) === "computing") tasks.delete(index);
      this.#add({ id, name }, [index], "failed", { message });
    }
  }

  #isFailed(job: JobId, index: TaskIndex): boolean {
    return this.#entries.some(({ jobId, tasks }) => jobId === job && tasks.get(index) === "failed");
  }

  /** Forgets tasks that their slot computes no more and that have no result: they were handed back, or taken away. */
  #dropHandedBack(state: Readonly<SessionState>): void {
    for (const { bundle, tasks } of this.#entries) {
      if (!bundle || state.slots.get(bundle.slot.number)?.work === bundle) continue;
      for (const [index, step] of tasks) if (step === "computing") tasks.delete(index);
    }
    if (this.#entries.some(({ tasks }) => tasks.size === 0))
      this.#entries = this.#entries.filter(({ tasks }) => tasks.size > 0);
  }

  #add(
    { id, name }: { readonly id: JobId; readonly name: string },
    indexes: readonly TaskIndex[],
    state: TrailEntry["state"],
    more: Pick<Followed, "bundle" | "message"> = {},
  ): void {
    this.#entries.unshift({
      ...more,
      id: this.#nextId++,
      jobId: id,
      job: name,
      tasks: new Map(indexes.map((index) => [index, state])),
    });
    this.#entries.length = Math.min(this.#entries.length, entriesKept);
  }
}

/** Stage of all tasks of an entry. Some results of a window are checked, which accepts the others. */
function stateOf(states: readonly TrailEntry["state"][]): TrailEntry["state"] {
  for (const state of ["failed", "computing", "finished", "delivered", "withdrawn"] as const)
    if (states.includes(state)) return state;
  return states.includes("checked") ? "checked" : "accepted";
}
