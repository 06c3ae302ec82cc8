import { randomBytes } from "node:crypto";
import type { ClientId, JobId, TaskIndex } from "../../../shared/ids.ts";
import {
  attemptEnds,
  attemptsKept,
  attemptsPerReply,
  checkFlag,
  type AttemptEnd,
  type Attempts,
} from "../../../shared/wire/attempts.ts";
import { Lanes } from "./lanes.ts";

/** Shorter tasks that are told together are one bundle. */
const tinyMs = 20;
/** Most slots of running attempts in a reply. */
const runningShown = 2_000;

interface Named<Id> {
  readonly id: Id;
  readonly name: string;
}

/** Clients whose slots are remembered; the one noted first is forgotten first. */
const ownersKept = 20_000;

/** A client whose attempts are recorded. */
interface Owner extends Named<ClientId> {
  readonly lanes: Lanes;
  /** Attempts without a result that ended at one instant: no more than there are slots can have run. */
  lastUnfinished: { at: number; count: number };
}

/** Names of clients. */
interface Names {
  name(client: ClientId): string;
}

/** An attempt that runs. */
export interface RunningAttempt {
  readonly job: Named<JobId>;
  readonly client: ClientId;
  readonly index: TaskIndex;
  /** On the monotonic clock. */
  readonly leasedAt: number;
  readonly isCheck: boolean;
}

/**
 * The attempts that ended lately at this server, for the task stream (SPEC.md [STREAM-1]): a bounded ring of columns, which a result costs a
 * few writes and no allocation.
 */
export class AttemptRing {
  readonly #life = randomBytes(6).toString("hex");
  readonly #capacity: number;
  readonly #startedAt: Float64Array;
  readonly #tookMs: Float32Array;
  readonly #indexes: Float64Array;
  readonly #counts: Uint32Array;
  readonly #slots: Uint16Array;
  readonly #ends: Uint8Array;
  readonly #jobs: Named<JobId>[] = [];
  readonly #clients: Owner[] = [];
  readonly #owners = new Map<ClientId, Owner>();
  /** Number of attempts ever recorded. */
  #recorded = 0;
  #owner: Owner | undefined;
  #job: Named<JobId> | undefined;
  #now = 0;
  #tinyCount = 0;
  #tinyMs = 0;
  #tinyIndex = 0;

  constructor(capacity = attemptsKept) {
    this.#capacity = capacity;
    this.#startedAt = new Float64Array(capacity);
    this.#tookMs = new Float32Array(capacity);
    this.#indexes = new Float64Array(capacity);
    this.#counts = new Uint32Array(capacity);
    this.#slots = new Uint16Array(capacity);
    this.#ends = new Uint8Array(capacity);
  }

  /** Begins with the attempts of one message of results. {@link end} has to follow. */
  begin(client: ClientId, names: Names, slots: number, job: Named<JobId>, now: number): void {
    this.#owner = this.#ownerOf(client, names, slots);
    this.#owner.lanes.begin(now);
    this.#job = job;
    this.#now = now;
  }

  /** Records an attempt of the message. Times are in ms on the monotonic clock. */
  ended(index: TaskIndex, tookMs: number, end: "done" | "failed", isCheck: boolean): void {
    if (tookMs < tinyMs && end === "done" && !isCheck) {
      if (this.#tinyCount === 0 || index < this.#tinyIndex) this.#tinyIndex = index;
      this.#tinyCount += 1;
      this.#tinyMs += tookMs;
      return;
    }
    const { lanes } = this.#owner!;
    const slot = lanes.place(tookMs);
    this.#write(this.#owner!, this.#job!, slot, lanes.startedAt, tookMs, index, 1, numberOf(end, isCheck));
  }

  /** Ends the message: its tiny tasks are recorded as a bundle, of each slot that they kept busy. */
  end(): void {
    const owner = this.#owner!;
    const { lanes } = owner;
    if (this.#tinyCount > 0) {
      const slots = Math.min(this.#tinyCount, lanes.busyFor(this.#tinyMs, this.#now));
      const tookMs = this.#tinyMs / slots;
      for (let part = 0; part < slots; part++) {
        const from = Math.floor((this.#tinyCount * part) / slots);
        const to = Math.floor((this.#tinyCount * (part + 1)) / slots);
        const slot = lanes.place(tookMs);
        this.#write(owner, this.#job!, slot, lanes.startedAt, tookMs, this.#tinyIndex + from, to - from, 0);
      }
    }
    lanes.end();
    this.#tinyCount = 0;
    this.#tinyMs = 0;
  }

  /** Records an attempt that ended without a result. */
  unfinished(attempt: RunningAttempt, names: Names, slots: number, end: AttemptEnd, now: number): void {
    const owner = this.#ownerOf(attempt.client, names, slots);
    const { lanes, lastUnfinished: last } = owner;
    owner.lastUnfinished = { at: now, count: last.at === now ? last.count + 1 : 1 };
    if (owner.lastUnfinished.count > lanes.count) return;
    lanes.begin(now);
    const slot = lanes.place(now - attempt.leasedAt);
    const startedAt = Math.max(attempt.leasedAt, lanes.startedAt);
    lanes.end();
    this.#write(
      owner,
      attempt.job,
      slot,
      startedAt,
      now - startedAt,
      attempt.index,
      1,
      numberOf(end, attempt.isCheck),
    );
  }

  /**
   * Attempts after the `after`-th of this life, the oldest first.
   * @param running - attempts that run, those of a client together
   */
  read(life: string | undefined, after: number, running: Iterable<RunningAttempt>, now: number): Attempts {
    const oldest = Math.max(0, this.#recorded - this.#capacity);
    const from = life === this.#life ? Math.min(this.#recorded, Math.max(after, oldest)) : oldest;
    const next = Math.min(this.#recorded, from + attemptsPerReply);
    const jobs = new Numbered<Named<JobId>>();
    const clients = new Numbered<Owner>();
    const ended: Attempts["ended"] = {
      jobs: [],
      clients: [],
      slots: [],
      indexes: [],
      counts: [],
      agesMs: [],
      tookMs: [],
      ends: [],
    };
    for (let number = from; number < next; number++) {
      const at = number % this.#capacity;
      ended.jobs.push(jobs.numberOf(this.#jobs[at]!));
      ended.clients.push(clients.numberOf(this.#clients[at]!));
      ended.slots.push(this.#slots[at]!);
      ended.indexes.push(this.#indexes[at]!);
      ended.counts.push(this.#counts[at]!);
      ended.agesMs.push(tenths(now - this.#startedAt[at]!));
      ended.tookMs.push(tenths(this.#tookMs[at]!));
      ended.ends.push(this.#ends[at]!);
    }
    return {
      life: this.#life,
      next,
      left: this.#recorded - next,
      now: Date.now(),
      ended,
      running: this.#running(running, jobs, clients, now),
      jobs: jobs.items.map(({ id, name }) => ({ id, name })),
      clients: clients.items.map(({ id, name, lanes }) => ({ id, name, slots: lanes.count })),
    };
  }

  #running(
    running: Iterable<RunningAttempt>,
    jobs: Numbered<Named<JobId>>,
    clients: Numbered<Owner>,
    now: number,
  ): Attempts["running"] {
    const columns: Attempts["running"] = {
      jobs: [],
      clients: [],
      slots: [],
      indexes: [],
      agesMs: [],
      checks: [],
    };
    const used = new Map<ClientId, number>();
    for (const { job, client, index, leasedAt, isCheck } of running) {
      const owner = this.#owners.get(client);
      if (!owner) continue;
      if (columns.jobs.length === runningShown) break;
      // The attempt that is held for the longest time stands in the slot that is idle for the longest time.
      const slot = used.get(client) ?? 0;
      if (slot >= owner.lanes.count) continue;
      used.set(client, slot + 1);
      columns.jobs.push(jobs.numberOf(job));
      columns.clients.push(clients.numberOf(owner));
      columns.slots.push(owner.lanes.byIdleTime(slot));
      columns.indexes.push(index);
      columns.agesMs.push(
        tenths(now - Math.max(leasedAt, owner.lanes.idleSince(owner.lanes.byIdleTime(slot)))),
      );
      columns.checks.push(Number(isCheck));
    }
    return columns;
  }

  /** Notes a client before its first result, so that what it runs is shown. */
  note(client: ClientId, names: Names, slots: number): void {
    this.#ownerOf(client, names, slots);
  }

  #ownerOf(client: ClientId, names: Names, slots: number): Owner {
    const known = this.#owners.get(client);
    if (known) {
      known.lanes.resize(slots);
      return known;
    }
    const owner = {
      id: client,
      name: names.name(client),
      lanes: new Lanes(slots),
      lastUnfinished: { at: 0, count: 0 },
    };
    this.#owners.set(client, owner);
    const oldest = this.#owners.keys().next().value;
    if (this.#owners.size > ownersKept && oldest !== undefined) this.#owners.delete(oldest);
    return owner;
  }

  #write(
    owner: Owner,
    job: Named<JobId>,
    slot: number,
    startedAt: number,
    tookMs: number,
    index: TaskIndex,
    count: number,
    end: number,
  ): void {
    const at = this.#recorded % this.#capacity;
    this.#startedAt[at] = startedAt;
    this.#tookMs[at] = tookMs;
    this.#indexes[at] = index;
    this.#counts[at] = count;
    this.#slots[at] = slot;
    this.#ends[at] = end;
    this.#jobs[at] = job;
    this.#clients[at] = owner;
    this.#recorded += 1;
  }
}

/** Distinct objects and their numbers. */
class Numbered<Item> {
  readonly items: Item[] = [];
  readonly #numbers = new Map<Item, number>();

  numberOf(item: Item): number {
    const known = this.#numbers.get(item);
    if (known !== undefined) return known;
    this.#numbers.set(item, this.items.length);
    this.items.push(item);
    return this.items.length - 1;
  }
}

function numberOf(end: AttemptEnd, isCheck: boolean): number {
  return attemptEnds.indexOf(end) + (isCheck ? checkFlag : 0);
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
