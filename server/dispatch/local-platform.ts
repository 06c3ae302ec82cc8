import { randomBytes } from "node:crypto";
import type { Logger } from "pino";
import { PlatformError } from "../../shared/errors.ts";
import { sha256Hex } from "../../shared/hash.ts";
import { makeJobId, type ClientId, type JobId, type Sha256 } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import type { BlobName } from "../../shared/data-reference.ts";
import type {
  BanInfo,
  Capacity,
  ClientInfo,
  JobInfo,
  JobOptions,
  JobProgress,
  ServerStatus,
  Snapshot,
  Submitted,
} from "../../shared/rest.ts";
import { version } from "../../shared/version.ts";
import type { ServerOptions } from "../options.ts";
import type { Platform } from "../platform.ts";
import type { SessionServices } from "../sockets/client-gate.ts";
import type { JobRow, NewTask, ResultRow, Store } from "../store/store.ts";
import { ClientRegistry } from "./client-registry.ts";
import { ClientMessages } from "./client-messages.ts";
import { Dispatcher } from "./dispatcher.ts";
import { describeJob, progressOf } from "./job-info.ts";
import { JobWatch } from "./job-watch.ts";
import { KnownBlobs } from "./known-blobs.ts";
import { News } from "./news.ts";
import { Precaches, type Wanted, type WishRequest } from "./precaches.ts";
import { RateWindow } from "./rates.ts";

/** A page of results is about this large. */
const resultPageBytes = 1024 * 1024;
const resultPageItems = 5000;
/** Jobs on the status page. */
const jobsShown = 200;
/** How long clients are given to come back after a restart before their tasks are handed out again. */
const rejoinMs = 2500;
/** How long after a restart clients are believed what they say they hold; they try to come back every 30 s at the latest. */
const believeMs = 120_000;

interface Parts {
  readonly store: Store;
  readonly options: ServerOptions;
  readonly log: Logger;
  /** Addresses under which volunteers reach the server; known once it listens. */
  readonly volunteerUrls: () => string[];
}

/** The platform on one server: store, scheduler and client sockets behind the verbs of {@link Platform}. */
export class LocalPlatform implements Platform {
  readonly dispatcher: Dispatcher;
  readonly #store: Store;
  readonly #options: ServerOptions;
  readonly #registry: ClientRegistry;
  readonly #messages: ClientMessages;
  readonly #news = new News<JobId>();
  readonly #watch = new JobWatch(this.#news);
  readonly #precaches = new Precaches((client, message) => this.dispatcher.connections.send(client, message));
  readonly #throughput = new RateWindow(300, Date.now());
  readonly #recent = new RateWindow(10, Date.now());
  readonly #startedAt = Date.now();
  readonly #volunteerUrls: () => string[];
  #done = 0;
  #failed = 0;

  private constructor(parts: Parts, hold: boolean) {
    const { store, options, log } = parts;
    this.#store = store;
    this.#options = options;
    this.#volunteerUrls = parts.volunteerUrls;
    const { graceMs, quarantineAfter, speculate } = options;
    const holdUntil = hold ? performance.now() + Math.min(rejoinMs, graceMs) : 0;
    const believeUntil = hold ? performance.now() + believeMs : 0;
    this.dispatcher = new Dispatcher({
      store,
      log,
      scheduler: { graceMs, quarantineAfter, speculate, holdUntil, believeUntil },
      listener: {
        outcomesStored: (row, outcomes, accepted, by) => this.#outcomesStored(row, outcomes, accepted, by),
        jobMoved: (id) => this.#news.tell(id),
      },
    });
    this.#registry = new ClientRegistry(this.dispatcher.scheduler, graceMs);
    this.#messages = new ClientMessages(
      this.dispatcher,
      this.#registry,
      new KnownBlobs(store),
      this.#watch,
      this.#precaches,
      log,
    );
    store.onDependents((row) => this.#dependentChanged(row));
    if (hold) setTimeout(() => this.dispatcher.feed({ type: "timePassed" }), rejoinMs + 10).unref();
  }

  /** Loads the jobs that are not over and goes on with them. */
  static async open(parts: Parts): Promise<LocalPlatform> {
    const active = await parts.store.listJobs({ active: true });
    const platform = new LocalPlatform(
      parts,
      active.some((row) => row.total > row.done + row.failed),
    );
    for (const row of active) {
      platform.#watch.update(row);
      platform.#schedule(row);
    }
    return platform;
  }

  /** Nobody who came with this token is a client any more; those that are connected are told by their sockets. */
  tokenRevoked(tokenId: string): void {
    this.#registry.revokeTicketsOf(tokenId);
  }

  /** What client sockets call. */
  sessionServices(log: Logger): SessionServices {
    const { onJoin, onMessage, onClose } = this.#messages;
    return { options: this.#options, log, onJoin, onMessage, onClose };
  }

  async createJob(
    options: JobOptions & { customer: string; kernel: Sha256 },
  ): Promise<{ job: JobInfo; created: boolean }> {
    const { kernel, ...rest } = options;
    const source = await this.#store.getKernel(kernel);
    if (!source) throw new PlatformError("UNKNOWN_KERNEL", `No kernel ${kernel} has been posted here.`);
    const id = makeJobId(randomBytes);
    const name = { sha256: kernel, size: source.length };
    const { job, created } = await this.#store.createJob({
      ...rest,
      id,
      kernel: name,
      createdAt: Date.now(),
    });
    if (created) {
      this.#watch.update(job);
      this.#schedule(job);
    }
    return { job: await this.#info(job), created };
  }

  async submit(id: JobId, tasks: readonly NewTask[]): Promise<Submitted> {
    const submitted = await this.#store.submit(id, tasks);
    if (submitted.added > 0) {
      this.#watch.update(await this.#row(id));
      this.dispatcher.feed({ type: "tasksAdded", job: id, again: true });
    }
    return submitted;
  }

  async closeJob(id: JobId): Promise<JobInfo> {
    return this.#changed(await this.#store.closeJob(id));
  }

  async job(id: JobId): Promise<JobInfo> {
    return this.#info(await this.#row(id));
  }

  async jobs(filter: { customer?: string; group?: string } = {}): Promise<JobInfo[]> {
    const rows = await this.#store.listJobs(filter);
    return Promise.all(rows.map((row) => this.#info(row)));
  }

  async cancel(id: JobId): Promise<JobInfo> {
    return this.#changed(await this.#store.endJob(id, "cancelled"));
  }

  async cancelGroup(filter: { customer?: string; group: string }): Promise<JobInfo[]> {
    const rows = await this.#store.listJobs({ ...filter, active: true });
    // Newest first: what waits is cancelled before what it waits for, and so is not blocked by that.
    const ended = await Promise.all(rows.map(({ id }) => this.#store.endJob(id, "cancelled")));
    return Promise.all(ended.map((row) => this.#changed(row)));
  }

  async pause(id: JobId): Promise<JobInfo> {
    const row = await this.#store.setPaused(id, true);
    this.dispatcher.feed({ type: "jobChanged", job: id, paused: true });
    return this.#changed(row);
  }

  async resume(id: JobId): Promise<JobInfo> {
    const row = await this.#store.setPaused(id, false);
    this.dispatcher.feed({ type: "jobChanged", job: id, paused: false });
    return this.#changed(row);
  }

  async setPriority(id: JobId, priority: number): Promise<JobInfo> {
    const row = await this.#store.setPriority(id, priority);
    this.dispatcher.feed({ type: "jobChanged", job: id, priority });
    return this.#changed(row);
  }

  async requeueFailed(id: JobId): Promise<{ requeued: number; job: JobInfo }> {
    const { requeued, job } = await this.#store.requeueFailed(id);
    this.#watch.update(job);
    this.#schedule(job);
    if (requeued > 0) {
      this.dispatcher.feed({ type: "tasksAdded", job: id, again: true, requeued: true });
    }
    return { requeued, job: await this.#info(job) };
  }

  async deleteJob(id: JobId): Promise<void> {
    await this.#row(id);
    await this.#store.deleteJob(id);
    this.dispatcher.feed({ type: "jobEnded", job: id });
    this.#watch.forget(id);
  }

  results(id: JobId, after: number): Promise<ResultRow[]> {
    return this.#store.results(id, after, resultPageItems, resultPageBytes);
  }

  async resultsChanged(id: JobId, after: number, signal: AbortSignal, atMostMs: number): Promise<void> {
    const until = performance.now() + atMostMs;
    for (let leftMs = atMostMs; leftMs > 0 && !signal.aborted; leftMs = until - performance.now()) {
      const row = await this.#row(id);
      if (row.lastSeq > after || !isActive(row)) return;
      if (!this.#watch.row(id)) this.#watch.update(row);
      await this.#watch.changed(id, signal, leftMs);
    }
  }

  async progress(id: JobId): Promise<JobProgress> {
    const row = this.#watch.row(id) ?? (await this.#row(id));
    return progressOf(row, this.dispatcher.scheduler.progress(id), this.#watch.rate(id));
  }

  moved(id: JobId, signal: AbortSignal): Promise<void> {
    return this.#news.next(id, signal);
  }

  logs(id: JobId): ReturnType<Platform["logs"]> {
    return this.#watch.logs(id);
  }

  precache(wish: WishRequest): Wanted {
    return this.#precaches.want(wish);
  }

  async putKernel(source: Uint8Array): Promise<BlobName & { created: boolean }> {
    if (source.length > limits.kernelBytes)
      throw new PlatformError(
        "TOO_LARGE",
        `A kernel of ${source.length} bytes; at most ${limits.kernelBytes} are taken.`,
      );
    const sha256 = sha256Hex(source);
    const created = (await this.#store.getKernel(sha256)) === undefined;
    if (created) await this.#store.putKernel(sha256, source);
    return { sha256, size: source.length, created };
  }

  kernel(sha256: Sha256): Promise<Uint8Array | undefined> {
    return this.#store.getKernel(sha256);
  }

  kernels(): Promise<BlobName[]> {
    return this.#store.listKernels();
  }

  clients(): ClientInfo[] {
    return this.#registry.list();
  }

  disconnectClient(id: string): void {
    const client = this.#registry.require(id);
    this.dispatcher.connections.get(client.id)?.bye("The administrator closed this connection.", 5000);
  }

  async banClient(id: string, reason: string): Promise<void> {
    const client = this.#registry.require(id);
    await this.#store.ban(client.id, reason);
    // A client chooses its own id, so its address is banned too; but on the server's own machine everybody has the same.
    if (!isLoopback(client.address)) await this.#store.ban(client.address, reason);
    this.dispatcher.feed({ type: "clientLeft", client: client.id });
    this.#registry.revokeTicket(client.id);
    const refusal = new PlatformError(
      "BANNED",
      `This client was banned from the server: ${reason || "no reason given"}.`,
    );
    this.dispatcher.connections.get(client.id)?.refuse(refusal);
  }

  bans(): Promise<BanInfo[]> {
    return this.#store.listBans();
  }

  unbanClient(id: string): Promise<boolean> {
    return this.#store.unban(id);
  }

  clientOfTicket(ticket: string): { id: ClientId; trusted: boolean } | undefined {
    return this.#registry.ofTicket(ticket);
  }

  capacity(): Capacity {
    return this.#registry.capacity(this.#recent.perSecond(Date.now()));
  }

  async status(): Promise<ServerStatus> {
    return this.#status(await this.#store.listJobs({ active: true }));
  }

  async #status(active: readonly JobRow[]): Promise<ServerStatus> {
    const blobs = await this.#store.blobUsage();
    const { scheduler } = this.dispatcher;
    const running = active.reduce((sum, row) => sum + scheduler.running(row.id), 0);
    const open = active.reduce((sum, row) => sum + row.total - row.done - row.failed, 0);
    return {
      version,
      startedAt: this.#startedAt,
      volunteers: this.#options.volunteers,
      volunteerUrls: this.#volunteerUrls(),
      jobs: active.length,
      clients: this.#registry.summary(),
      tasks: {
        queued: Math.max(0, open - running),
        running,
        done: this.#done,
        failed: this.#failed,
        droppedResults: scheduler.counts.droppedResults,
      },
      rate: this.#recent.perSecond(Date.now()),
      blobs: { ...blobs, quotaBytes: this.#options.blobQuotaBytes },
    };
  }

  async snapshot(): Promise<Snapshot> {
    const active = await this.#store.listJobs({ active: true });
    const room = Math.max(0, jobsShown - active.length);
    // No more: with 3,000 ended jobs a listener cost 4.2 % of a core when all were read every second, 1.5 % so.
    const ended = room > 0 ? await this.#store.listJobs({ active: false, limit: room }) : [];
    const shown = [...active, ...ended].slice(0, jobsShown);
    return {
      status: await this.#status(active),
      jobs: await Promise.all(shown.map((row) => this.#info(row))),
      clients: this.clients(),
      throughput: this.#throughput.series(Date.now()),
    };
  }

  async #row(id: JobId): Promise<JobRow> {
    const row = await this.#store.getJob(id);
    if (!row) throw new PlatformError("NOT_FOUND", `No job ${id} is here.`);
    return row;
  }

  async #info(row: JobRow): Promise<JobInfo> {
    const failures = row.failed > 0 ? await this.#store.failures(row.id, 20) : [];
    return describeJob(row, this.dispatcher.scheduler.progress(row.id), this.#watch.rate(row.id), failures);
  }

  /** A job was changed from outside: whoever waits is told, and an ended job leaves the scheduler. */
  async #changed(row: JobRow): Promise<JobInfo> {
    this.#watch.update(row);
    if (!isActive(row)) this.dispatcher.feed({ type: "jobEnded", job: row.id });
    return this.#info(row);
  }

  /** A job that waits for another is none of the scheduler's business yet. */
  #schedule(row: JobRow): void {
    if (isActive(row) && row.waitingFor.length === 0) this.dispatcher.addJob(row);
  }

  /** The end of another job released this one, or blocked it. */
  #dependentChanged(row: JobRow): void {
    this.#watch.update(row);
    this.#schedule(row);
  }

  #outcomesStored(
    row: JobRow,
    outcomes: readonly { readonly index: number; readonly state: "done" | "failed" }[],
    accepted: readonly number[],
    by: readonly string[],
  ): void {
    const now = Date.now();
    this.#throughput.add(accepted.length, now);
    this.#recent.add(accepted.length, now);
    this.#watch.update(row, accepted.length);
    const taken = accepted.length === outcomes.length ? undefined : new Set(accepted);
    outcomes.forEach(({ index, state }, i) => {
      if (taken && !taken.has(index)) return;
      if (state === "done") this.#done += 1;
      else this.#failed += 1;
      const client = by[i];
      if (client) this.#registry.count(client as ClientId, state);
    });
  }
}

function isActive({ state }: JobRow): boolean {
  return state === "open" || state === "closed";
}

function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}
