import { attemptsKept, type Attempts } from "../../../shared/wire/attempts.ts";

/** A lane: the attempts of one slot of a client, by start. */
export interface Lane {
  readonly client: StreamClient;
  readonly slot: number;
  /** Numbers of bars in order of their start. */
  readonly bars: number[];
  /** Attempts that run; replaced with each reply. */
  running: RunningBar | undefined;
}

export interface StreamClient {
  readonly id: string;
  readonly name: string;
}

export interface StreamJob {
  readonly id: string;
  readonly name: string;
  /** Order in which the job was first seen, which its colour follows. */
  readonly order: number;
}

export interface RunningBar {
  readonly job: StreamJob;
  readonly index: number;
  readonly startedAt: number;
  readonly isCheck: boolean;
}

/** An attempt with all that is known of it. */
export interface Bar {
  readonly job: StreamJob;
  readonly client: StreamClient;
  readonly slot: number;
  readonly index: number;
  readonly count: number;
  /** In ms since the Unix epoch, by the server's clock. */
  readonly startedAt: number;
  readonly tookMs: number;
  /** As in {@link Attempts}; undefined while the attempt runs. */
  readonly end: number | undefined;
  readonly isCheck: boolean;
}

/** The bars of the task stream: the newest `capacity`, in lanes. */
export class Bars {
  readonly capacity: number;
  readonly startedAt: Float64Array;
  readonly tookMs: Float32Array;
  readonly jobs: Uint32Array;
  readonly ends: Uint8Array;
  readonly #indexes: Float64Array;
  readonly #counts: Uint32Array;
  readonly #lanesOf: (Lane | undefined)[];
  #byClient = new Map<string, Lane[]>();
  #lanes: Lane[] = [];
  #jobs: StreamJob[] = [];
  #jobsById = new Map<string, StreamJob>();
  #added = 0;

  constructor(capacity = attemptsKept) {
    this.capacity = capacity;
    this.startedAt = new Float64Array(capacity);
    this.tookMs = new Float32Array(capacity);
    this.jobs = new Uint32Array(capacity);
    this.ends = new Uint8Array(capacity);
    this.#indexes = new Float64Array(capacity);
    this.#counts = new Uint32Array(capacity);
    this.#lanesOf = Array.from({ length: capacity }, () => undefined);
  }

  /** Lanes from top to bottom: those of a client together, in the order in which clients came. */
  get lanes(): readonly Lane[] {
    return this.#lanes;
  }

  get size(): number {
    return Math.min(this.#added, this.capacity);
  }

  /** Jobs that were seen, the newest last. */
  get seenJobs(): readonly StreamJob[] {
    return this.#jobs;
  }

  clear(): void {
    this.#byClient = new Map();
    this.#lanes = [];
    this.#jobs = [];
    this.#jobsById = new Map();
    this.#lanesOf.fill(undefined);
    this.#added = 0;
  }

  add({ now, jobs, clients, ended, running }: Attempts): void {
    const ofJobs = jobs.map((job) => this.#job(job));
    for (let i = 0; i < ended.jobs.length; i++) {
      const job = ofJobs[ended.jobs[i]!];
      const client = clients[ended.clients[i]!];
      if (!job || !client) continue;
      const bar = this.#added % this.capacity;
      this.#drop(bar);
      this.startedAt[bar] = now - ended.agesMs[i]!;
      this.tookMs[bar] = ended.tookMs[i]!;
      this.jobs[bar] = job.order;
      this.ends[bar] = ended.ends[i]!;
      this.#indexes[bar] = ended.indexes[i]!;
      this.#counts[bar] = ended.counts[i]!;
      const lane = this.#lane(client, ended.slots[i]!);
      this.#lanesOf[bar] = lane;
      this.#insert(lane, bar);
      this.#added += 1;
    }
    for (const lane of this.#lanes) lane.running = undefined;
    for (let i = 0; i < running.jobs.length; i++) {
      const job = ofJobs[running.jobs[i]!];
      const client = clients[running.clients[i]!];
      if (!job || !client) continue;
      this.#lane(client, running.slots[i]!).running = {
        job,
        index: running.indexes[i]!,
        startedAt: now - running.agesMs[i]!,
        isCheck: running.checks[i] === 1,
      };
    }
    const lanes = [...this.#byClient.values()].flat();
    const live = lanes.filter(({ bars, running: runs }) => bars.length > 0 || runs);
    if (live.length < lanes.length) this.#forget(lanes);
    this.#lanes = live;
  }

  /** Number of the first bar of a lane, as a position in its list, that ends after a time. */
  firstAfter({ bars }: Lane, time: number): number {
    let low = 0;
    let high = bars.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const bar = bars[middle]!;
      if (this.startedAt[bar]! + this.tookMs[bar]! < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The bar of a lane at a time, or the nearest within `withinMs`. */
  find(lane: Lane, time: number, withinMs: number): Bar | undefined {
    let best: number | undefined;
    let bestMs = withinMs;
    for (let at = this.firstAfter(lane, time - withinMs); at < lane.bars.length; at++) {
      const bar = lane.bars[at]!;
      const start = this.startedAt[bar]!;
      if (start > time + withinMs) break;
      const awayMs = Math.max(0, start - time, time - start - this.tookMs[bar]!);
      if (awayMs <= bestMs) [best, bestMs] = [bar, awayMs];
      if (awayMs === 0) break;
    }
    const { running } = lane;
    const isOfRunning = running !== undefined && time >= running.startedAt;
    if (best !== undefined && (bestMs === 0 || !isOfRunning)) return this.describe(lane, best);
    return running && time >= running.startedAt - withinMs ? describeRunning(lane, running) : undefined;
  }

  describe({ client, slot }: Lane, bar: number): Bar {
    return {
      job: this.#jobs[this.jobs[bar]!]!,
      client,
      slot,
      index: this.#indexes[bar]!,
      count: this.#counts[bar]!,
      startedAt: this.startedAt[bar]!,
      tookMs: this.tookMs[bar]!,
      end: this.ends[bar]! & 7,
      isCheck: (this.ends[bar]! & 8) !== 0,
    };
  }

  #job({ id, name }: { id: string; name: string }): StreamJob {
    const known = this.#jobsById.get(id);
    if (known) return known;
    const job = { id, name, order: this.#jobs.length };
    this.#jobs.push(job);
    this.#jobsById.set(id, job);
    return job;
  }

  #lane(client: StreamClient, slot: number): Lane {
    let lanes = this.#byClient.get(client.id);
    if (!lanes) this.#byClient.set(client.id, (lanes = []));
    while (lanes.length <= slot)
      lanes.push({ client: lanes[0]?.client ?? client, slot: lanes.length, bars: [], running: undefined });
    return lanes[slot]!;
  }

  /** Bars of a lane come nearly in order. */
  #insert({ bars }: Lane, bar: number): void {
    let at = bars.length;
    while (at > 0 && this.startedAt[bars[at - 1]!]! > this.startedAt[bar]!) at -= 1;
    bars.splice(at, 0, bar);
  }

  #drop(bar: number): void {
    const bars = this.#lanesOf[bar]?.bars;
    if (!bars) return;
    const at = bars.indexOf(bar);
    if (at === 0) bars.shift();
    else if (at > 0) bars.splice(at, 1);
  }

  /** Clients without a bar are forgotten as a whole: the slots of the others keep their order. */
  #forget(lanes: readonly Lane[]): void {
    const alive = new Set(
      lanes.filter(({ bars, running }) => bars.length > 0 || running).map(({ client }) => client.id),
    );
    for (const id of this.#byClient.keys()) if (!alive.has(id)) this.#byClient.delete(id);
  }
}

function describeRunning({ client, slot }: Lane, { job, index, startedAt, isCheck }: RunningBar): Bar {
  return { job, client, slot, index, count: 1, startedAt, tookMs: 0, end: undefined, isCheck };
}
