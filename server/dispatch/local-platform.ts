import { randomBytes } from "node:crypto";
import type { Logger } from "pino";
import type { JobId, Sha256 } from "../../shared/ids.ts";
import type { ServerOptions } from "../options.ts";
import type { Platform } from "../platform.ts";
import type { ServerDirectory } from "../server-directory.ts";
import type { ConnectionServices } from "../sockets/client-gate.ts";
import { isShared } from "../store/open.ts";
import type { News as StoreNews } from "../store/shared-store.ts";
import type { JobRow, ProvisionalWindow, Standing, Store } from "../store/store.ts";
import { version } from "../../shared/version.ts";
import type { Lease } from "../scheduler/state.ts";
import { whyIdle as whyIdleOf } from "./why/idle.ts";
import { whyAbandoned } from "./abandoned.ts";
import { isPastKeeping } from "./retention.ts";
import { joinCapacities } from "./capacity.ts";
import { AttemptRing, type RunningAttempt } from "./attempts/attempt-ring.ts";
import { ClientBans } from "./client-bans.ts";
import { ClientMessages, isCheck } from "./client-messages.ts";
import { ClientReads } from "./client-reads.ts";
import { ClientRegistry } from "./client-registry.ts";
import { ClientUploads } from "./client-uploads.ts";
import { Dispatcher } from "./dispatcher.ts";
import { History, type Counters } from "./history.ts";
import { JobReader } from "./job-reader.ts";
import { JobWatch } from "./job-watch.ts";
import { Jobs } from "./jobs.ts";
import { Kernels } from "./kernels.ts";
import { KnownBlobs } from "./known-blobs.ts";
import { MissingData } from "./missing-data.ts";
import { News } from "./news.ts";
import { OtherClients } from "./other-clients.ts";
import { firstWindowOf, OtherServers } from "./other-servers.ts";
import { Precaches } from "./precaches.ts";
import { RunHistory } from "./run-history.ts";
import { SharedPrecache } from "./shared-precache.ts";
import { ProvisionalFollowers } from "./provisional-followers.ts";
import type { ReadBlob } from "./provisional.ts";
import { Status } from "./status.ts";
import { Tally } from "./tally.ts";
import { TaskReader } from "./task-reader.ts";
import { Teller } from "./told.ts";
import { untilDone } from "./until-done.ts";
import { readUsage } from "./usage.ts";
import { Whys } from "./why/whys.ts";

/** Clients have this long to come back after a restart before their tasks are leased again. */
const rejoinMs = 2500;
/**
 * Clients are believed to hold the leases that they claim for this long after a restart; they try to come back every
 * 30 s at the latest.
 */
const believeMs = 120_000;

/** Most jobs of which a server publishes its own figures. */
const publishedJobs = 200;

/** Time without a change after which the standing of a volunteer or cohort is forgotten. */
const standingsKeptMs = 90 * 24 * 3600 * 1000;

interface Parts {
  readonly store: Store;
  readonly options: ServerOptions;
  readonly log: Logger;
  /** Addresses under which volunteers reach the server; known once it listens. */
  readonly volunteerUrls: () => string[];
  readonly readBlob?: ReadBlob;
  /** The servers of a shared store. */
  readonly directory?: ServerDirectory | undefined;
  /** Called when another server made or revoked tokens. */
  readonly onTokens?: () => Promise<void>;
  /** Bytes that went through the server's connections. */
  readonly traffic?: () => { readonly bytesIn: number; readonly bytesOut: number };
  /** Numbers of damaged pieces of data in store and blob directory. */
  readonly damaged?: () => { readonly records: number; readonly blobs: number };
}

/** State of earlier servers, beside their jobs. */
interface EarlierState {
  readonly isRestart: boolean;
  readonly windows: readonly ProvisionalWindow[];
  readonly standings: readonly Standing[];
}

/** The platform on one server: wires store, scheduler and client sockets, and routes each verb to its part. */
export class LocalPlatform implements Platform {
  readonly dispatcher: Dispatcher;
  /** Called when a task at which strangers failed waits for an auditor. */
  onAuditorsCalled: (() => void) | undefined;
  readonly #options: ServerOptions;
  readonly #directory: ServerDirectory | undefined;
  readonly #registry: ClientRegistry;
  readonly #otherClients: OtherClients | undefined;
  readonly #messages: ClientMessages;
  readonly #precaches: Precaches;
  readonly #watch: JobWatch;
  readonly #kernels: Kernels;
  readonly #jobs: Jobs;
  readonly #reader: JobReader;
  readonly #bans: ClientBans;
  readonly #reads: ClientReads;
  readonly #uploads: ClientUploads;
  readonly #missing: MissingData;
  readonly #followers = new ProvisionalFollowers();
  readonly #store: Store;
  readonly #tally: Tally;
  readonly #status: Status;
  readonly #runs: RunHistory;
  readonly #tasks: TaskReader;
  readonly #whys: Whys;
  readonly #history: History;
  readonly #attempts: AttemptRing;

  private constructor(parts: Parts, earlier: EarlierState) {
    const {
      store,
      options,
      log,
      volunteerUrls,
      readBlob,
      directory,
      damaged = () => ({ records: 0, blobs: 0 }),
      traffic = () => ({ bytesIn: 0, bytesOut: 0 }),
    } = parts;
    const { isRestart, windows, standings } = earlier;
    this.#directory = directory;
    this.#options = options;
    this.#store = store;
    const teller = isShared(store) ? new Teller(store, log) : undefined;
    const news = new News<JobId>();
    const watch = new JobWatch(news);
    this.#watch = watch;
    const followers = this.#followers;
    const { graceMs, quarantineAfter, speculate } = options;
    const holdUntil = isRestart ? performance.now() + Math.min(rejoinMs, graceMs) : 0;
    const believeUntil = isRestart ? performance.now() + believeMs : 0;
    const attempts = new AttemptRing();
    this.#kernels = new Kernels(store);
    const dispatcher = new Dispatcher({
      store,
      log,
      kernels: this.#kernels,
      scheduler: {
        graceMs,
        quarantineAfter,
        speculate,
        auditors: options.auditors > 0,
        holdUntil,
        believeUntil,
        firstWindow: isShared(store)
          ? firstWindowOf(store.epoch)
          : 1 + Math.max(0, ...windows.map(({ number }) => number)),
        standings,
        shared: isShared(store),
        onUnfinished: (lease, end) => {
          const slots = dispatcher.scheduler.client(lease.client)?.slots ?? 1;
          if (end === "lost") this.#registry.count(lease.client, "lost");
          attempts.unfinished(runningAttempt(lease), this.#registry, slots, end, performance.now());
        },
      },
      readBlob,
      listener: {
        outcomesStored: (row, outcomes, accepted, by) => {
          this.#tally.add(outcomes, accepted, by);
          watch.update(row, accepted.length);
        },
        provisionalKept: (row, client, outputs) => {
          this.#tally.addProvisional(outputs.length);
          followers.tell(row, { state: "kept", client, outputs });
          watch.update(row, outputs.length);
        },
        provisionalAccepted: (row, client, accepted, dropped) => {
          this.#tally.addAccepted(client, accepted.length);
          followers.tell(row, { state: "accepted", client, indexes: accepted });
          followers.tell(row, { state: "withdrawn", client, indexes: dropped });
          watch.update(row);
        },
        provisionalWithdrawn: (row, client, indexes) => {
          followers.tell(row, { state: "withdrawn", client, indexes });
          watch.update(row);
        },
        jobChanged: (row) => watch.update(row),
        clientsPardoned: (clients) => {
          for (const client of clients)
            untilDone(log, "lift a ban", { client }, () => this.#bans.lift(client));
        },
        jobMoved: (id) => news.tell(id),
        endedUnclaimed: (job, indexes) => teller?.ended(job, indexes),
        handedOver: (job, tasks) => teller?.handedOver(job, tasks),
        verdictUnheard: (client, verdict) => teller?.verdict(client, verdict),
        auditorsCalled: () => this.onAuditorsCalled?.(),
        clientBarred: (client, reason) => {
          untilDone(log, "bar a client", { client }, () => this.#bans.bar(client, reason));
        },
      },
    });
    const { scheduler, connections } = dispatcher;
    this.#attempts = attempts;
    this.#uploads = new ClientUploads(store, scheduler);
    const blobs = new KnownBlobs(store, this.#uploads);
    this.dispatcher = dispatcher;
    this.#registry = new ClientRegistry(scheduler, graceMs);
    this.#otherClients = directory && new OtherClients(directory);
    this.#tally = new Tally(this.#registry);
    this.#precaches = new Precaches((client, message) => connections.send(client, message));
    this.#reads = new ClientReads(store, scheduler, this.#precaches, this.#uploads);
    const runs = new RunHistory(store, (error) =>
      log.warn({ err: error }, "costs of jobs are written later"),
    );
    this.#runs = runs;
    this.#messages = new ClientMessages(
      dispatcher,
      this.#registry,
      blobs,
      watch,
      this.#precaches,
      runs,
      attempts,
      log,
    );
    if (teller) this.#messages.onMoved = (client) => teller.moved(client);
    this.#missing = new MissingData(store, (job) => news.tell(job));
    const missing = this.#missing;
    this.#reader = new JobReader({ store, scheduler, watch, news, followers, directory, missing });
    this.#jobs = new Jobs(store, dispatcher, watch, this.#reader, this.#kernels);
    this.#bans = new ClientBans(store, dispatcher, this.#registry, teller);
    const [registry, jobs, tally] = [this.#registry, this.#reader, this.#tally];
    this.#status = new Status({
      store,
      options,
      volunteerUrls,
      scheduler,
      registry,
      jobs,
      watch,
      tally,
      directory,
      otherClients: this.#otherClients,
      damaged,
    });
    this.#tasks = new TaskReader({ store, scheduler, registry, jobs, history: runs });
    this.#history = new History({
      store,
      server: directory?.id ?? "",
      read: () => this.#counters(traffic()),
      log,
    });
    this.#whys = new Whys({ store, scheduler, registry, jobs, bans: this.#bans, directory });
    store.onDependents((row) => this.#jobs.takeUp(row));
    store.onFed((row) => this.#jobs.takeFed(row));
    store.onQuota((customer, full) => {
      dispatcher.feed({ type: "quotaChanged", customer, full });
      for (const { id, info } of scheduler.state.jobs.values()) if (info.customer === customer) news.tell(id);
    });
    if (directory) directory.describe = () => this.#published(watch);
    if (isRestart) setTimeout(() => dispatcher.feed({ type: "timePassed" }), rejoinMs + 10).unref();
  }

  /** Opens the platform and goes on with the jobs that are not over. */
  static async open(parts: Parts): Promise<LocalPlatform> {
    const { store, log, onTokens = async () => {} } = parts;
    const missed: StoreNews[] = [];
    if (isShared(store)) store.onNews((news) => missed.push(news));
    const active = await parts.store.listJobs({ active: true });
    const isRestart = active.some((row) => row.total > row.done + row.failed);
    const [windows, standings] = await Promise.all([parts.store.listWindows(), parts.store.listStandings()]);
    const platform = new LocalPlatform(parts, { isRestart, windows, standings });
    for (const row of active) platform.#jobs.takeUp(row);
    if (isShared(store)) {
      const [jobs, bans, registry] = [platform.#jobs, platform.#bans, platform.#registry];
      const { dispatcher } = platform;
      const followers = platform.#followers;
      const others = new OtherServers({
        store,
        dispatcher,
        directory: parts.directory,
        jobs,
        watch: platform.#watch,
        bans,
        registry,
        followers,
        log,
        onTokens,
      });
      others.start();
      for (const news of missed) others.take(news);
    } else platform.dispatcher.feed({ type: "provisionalFound", windows });
    return platform;
  }

  /** Notes that a blob or kernel was found damaged on disk, or was put again: its tasks wait, or go on. */
  dataChanged(sha256: Sha256, isMissing: boolean): void {
    this.#missing.set(sha256, isMissing);
    this.dispatcher.feed({ type: "dataChanged", sha256, isMissing });
  }

  /** Refuses the blob transfers of clients that came with this token; their sockets end by themselves. */
  tokenRevoked(tokenId: string): void {
    this.#registry.revokeTicketsOf(tokenId);
  }

  /**
   * Ends the open jobs whose customers are gone; returns their number.
   * @param now - ms since the Unix epoch
   */
  endAbandoned(now: number): Promise<number> {
    return this.#jobs.endAbandoned(now, this.#followedElsewhere());
  }

  /**
   * Deletes ended jobs that are kept no longer; returns their number.
   * @param now - ms since the Unix epoch
   */
  deleteOld(now: number): Promise<number> {
    return this.#jobs.deleteOld(this.#options.keepJobs, now, this.#followedElsewhere());
  }

  #followedElsewhere(): ReadonlySet<string> {
    return new Set(this.#directory?.others.flatMap(({ followed }) => followed));
  }

  /**
   * Removes unused kernels, and uploads of clients that are gone. To be called regularly.
   * @param before - ms since the Unix epoch; kernels that were used since then stay
   * @param removeBlob - removes a blob without owners
   * @param leads - whether this server does the work that one of several servers does for all
   */
  async collect(
    before: number,
    removeBlob: (sha256: Sha256) => Promise<void>,
    leads = true,
  ): Promise<{ kernels: number }> {
    await this.#uploads.collect(removeBlob);
    if (!leads) return { kernels: 0 };
    await this.#store.collectStandings(Date.now() - standingsKeptMs);
    return { kernels: await this.#kernels.collect(before) };
  }

  /** Writes what is written now and then only. To be called before the store closes. */
  flush(): Promise<void> {
    return this.#runs.flush();
  }

  /** Takes figures of each minute from now on, until the platform is told to stop. */
  keepHistory(): void {
    this.#history.start();
  }

  stopHistory(): void {
    this.#history.stop();
  }

  #counters(traffic: { bytesIn: number; bytesOut: number }): Counters {
    const { references, cached } = this.dispatcher.scheduler.counts;
    const { clients, slots, busy } = this.capacity("own");
    const { count: latencies, sumMs: latencySumMs } = this.#messages.latencies;
    const { done, failed } = this.#tally;
    return { done, failed, ...traffic, references, cached, latencySumMs, latencies, clients, slots, busy };
  }

  #published(watch: JobWatch): ReturnType<NonNullable<ServerDirectory["describe"]>> {
    const { scheduler } = this.dispatcher;
    const running = [...scheduler.runningJobs()];
    const now = Date.now();
    const isDue = (row: JobRow): boolean =>
      whyAbandoned(row, now) !== undefined || isPastKeeping(row, this.#options.keepJobs, now);
    const due = [...watch.followed()].filter((id) => {
      const row = watch.row(id);
      // A job that ended long ago is no longer in memory.
      return !row || isDue(row);
    });
    return {
      version,
      capacity: this.capacity("own"),
      throughput: this.#tally.throughput(),
      leases: running.reduce((sum, [, count]) => sum + count, 0),
      claimed: scheduler.claimed,
      running: running
        .toSorted(([, a], [, b]) => b - a)
        .slice(0, publishedJobs)
        .map(([id, count]) => [id, count, scheduler.progress(id).done] as const),
      followed: due.slice(0, publishedJobs),
    };
  }

  /** The verbs that client sockets call. */
  connectionServices(
    log: Logger,
    makeTicket = (): string => randomBytes(24).toString("base64url"),
  ): ConnectionServices {
    const { onJoin, onMessage, onRead, onClose } = this.#messages;
    const whyIdle: ConnectionServices["whyIdle"] = (id) => {
      const client = this.dispatcher.scheduler.client(id);
      return client && whyIdleOf(this.dispatcher.scheduler.state, client);
    };
    return { options: this.#options, log, makeTicket, onJoin, onMessage, onRead, onClose, whyIdle };
  }

  createJob: Platform["createJob"] = (options) => this.#jobs.create(options);
  submit: Platform["submit"] = (id, tasks) => this.#jobs.submit(id, tasks);
  closeJob: Platform["closeJob"] = (id) => this.#jobs.close(id);
  cancel: Platform["cancel"] = (id) => this.#jobs.cancel(id);
  cancelGroup: Platform["cancelGroup"] = (filter) => this.#jobs.cancelGroup(filter);
  pause: Platform["pause"] = (id) => this.#jobs.setPaused(id, true);
  resume: Platform["resume"] = (id) => this.#jobs.setPaused(id, false);
  setPriority: Platform["setPriority"] = (id, priority) => this.#jobs.setPriority(id, priority);
  setVerify: Platform["setVerify"] = (id, options) => this.#jobs.setVerify(id, options);
  requeueFailed: Platform["requeueFailed"] = (id, among) => this.#jobs.requeueFailed(id, among);
  deleteJob: Platform["deleteJob"] = (id) => this.#jobs.delete(id);

  job: Platform["job"] = (id) => this.#reader.job(id);
  jobs: Platform["jobs"] = (query) => this.#reader.jobs(query);
  results: Platform["results"] = (id, after, page) => this.#reader.results(id, after, page);
  provisionalResults: Platform["provisionalResults"] = (id, after, page) =>
    this.#reader.provisionalResults(id, after, page);
  followProvisional: Platform["followProvisional"] = (id) => this.#reader.followProvisional(id);
  reads: Platform["reads"] = (id) => this.#watch.read(id);
  provisionalChanged: Platform["provisionalChanged"] = (id, follower, signal, atMostMs) =>
    this.#reader.provisionalChanged(id, follower, signal, atMostMs);
  resultsChanged: Platform["resultsChanged"] = (id, after, signal, atMostMs) =>
    this.#reader.resultsChanged(id, after, signal, atMostMs);
  progress: Platform["progress"] = (id) => this.#reader.progress(id);
  moved: Platform["moved"] = (id, signal) => this.#reader.moved(id, signal);
  logs: Platform["logs"] = (id, of) => this.#reader.logs(id, of);
  task: Platform["task"] = (id, index) => this.#tasks.task(id, index);
  failureGroups: Platform["failureGroups"] = (id) => this.#tasks.failureGroups(id);
  cost: Platform["cost"] = (id) => this.#runs.cost(id);

  attach: Platform["attach"] = async (id, attachment) => {
    const row = await this.#store.attach(id, attachment);
    this.#watch.update(await this.#reader.row(id));
    return row;
  };
  attachments: Platform["attachments"] = (id) => this.#store.attachments(id);
  attachment: Platform["attachment"] = (id, name) => this.#store.attachment(id, name);
  detach: Platform["detach"] = (id, name) => this.#store.detach(id, name);

  recordAction: Platform["recordAction"] = (action) => this.#store.recordAction(action);
  amendAction: Platform["amendAction"] = (number, more) => this.#store.amendAction(number, more);
  actions: Platform["actions"] = (limit, before) => this.#store.listActions(limit, before);

  precache: Platform["precache"] = (request, of) => {
    if (of === "own" || !this.#directory) return this.#precaches.start(request);
    const here = this.#precaches.start({ ...request, atLeast: 0 });
    return new SharedPrecache(request, here, this.#directory);
  };

  putKernel: Platform["putKernel"] = async (source, customer) => {
    const put = await this.#kernels.put(source, customer);
    if (this.#missing.has(put.sha256)) this.dataChanged(put.sha256, false);
    return put;
  };
  kernel: Platform["kernel"] = (sha256, customer) => this.#kernels.get(sha256, customer);
  kernels: Platform["kernels"] = (customer) => this.#kernels.list(customer);
  deleteKernel: Platform["deleteKernel"] = (sha256, customer) => this.#kernels.delete(sha256, customer);
  disownBlob: Platform["disownBlob"] = (sha256, owner) => this.#store.disownBlob(sha256, owner);
  usage: Platform["usage"] = (customer) => readUsage(this.#store, customer);
  setQuotas: Platform["setQuotas"] = (customer, own) => this.#store.setQuotas(customer, own);

  clients: Platform["clients"] = async (of) => {
    const others = of === "own" ? undefined : this.#otherClients;
    const silent = (await others?.ask()) ?? [];
    const own = this.#registry.list();
    return { clients: others?.joined(own) ?? own, silent };
  };
  disconnectClient: Platform["disconnectClient"] = (id) => this.#bans.disconnect(id);
  banClient: Platform["banClient"] = (id, reason) => this.#bans.ban(id, reason);
  drainClient: Platform["drainClient"] = (id, drained) => this.#bans.drain(id, drained);
  reloadClient: Platform["reloadClient"] = (id) => this.#bans.reload(id);
  bans: Platform["bans"] = () => this.#bans.list();
  unbanClient: Platform["unbanClient"] = (id) => this.#bans.lift(id);
  clientOfTicket: Platform["clientOfTicket"] = (ticket) => this.#registry.ofTicket(ticket);
  clientMayRead: Platform["clientMayRead"] = (client, sha256) => this.#reads.mayRead(client, sha256);
  beginUpload: Platform["beginUpload"] = (client, upload) => this.#uploads.begin(client, upload);

  capacity: Platform["capacity"] = (of) => {
    const own = this.#registry.capacity(this.#tally.rate());
    const others = of === "own" ? [] : (this.#directory?.others ?? []);
    return joinCapacities([own, ...others.map(({ capacity }) => capacity)]);
  };
  status: Platform["status"] = (of) => this.#status.status(of);
  snapshot: Platform["snapshot"] = () => this.#status.snapshot();

  attempts: Platform["attempts"] = (life, after) => {
    const running: RunningAttempt[] = [];
    for (const { info, slots, leases } of this.dispatcher.scheduler.state.clients.values()) {
      if (leases.size === 0) continue;
      this.#attempts.note(info.id, this.#registry, slots);
      let shown = 0;
      for (const lease of leases)
        if (shown++ < slots) running.push(runningAttempt(lease));
        else break;
    }
    return this.#attempts.read(life, after, running, performance.now());
  };

  history: Platform["history"] = () => this.#history.history();
  why: Platform["why"] = (of) => this.#whys.server(of);
  whyJob: Platform["whyJob"] = (id, of) => this.#whys.job(id, of);
  whyClient: Platform["whyClient"] = (id, of) => this.#whys.client(id, of);
}

function runningAttempt({ task, client, leasedAt }: Lease): RunningAttempt {
  const { job, index } = task;
  return { job: job.info.descriptor, client, index, leasedAt, isCheck: isCheck(task) };
}
