import type { JobId } from "../../shared/ids.ts";
import type { ServerInfo, ServerStatus, Snapshot } from "../../shared/wire/rest/status.ts";
import { version } from "../../shared/version.ts";
import type { ServerOptions } from "../options.ts";
import type { Scheduler } from "../scheduler/scheduler.ts";
import type { KnownServer, Published, ServerDirectory } from "../server-directory.ts";
import type { JobFilter, JobRow, JobTotals, Store } from "../store/store.ts";
import { joinCapacities } from "./capacity.ts";
import { sortClients } from "../client-pages.ts";
import type { ClientRegistry } from "./client-registry.ts";
import type { JobReader } from "./job-reader.ts";
import type { JobWatch } from "./job-watch.ts";
import type { OtherClients } from "./other-clients.ts";
import type { Tally } from "./tally.ts";
import { readUsage } from "./usage.ts";

/** Most jobs pushed to the status page, which asks for the others page by page. */
const jobsShown = 100;
/** Places among them for jobs that ended in failure, so that a crowd of waiting jobs does not hide them. */
const failedShown = 20;

/** Most clients pushed to the status page, which asks for others page by page. */
const clientsShown = 100;

/** Most customers on the status page. */
const customersShown = 100;

/** A job counts as running for this long after the end of a task. */
const movingMs = 60_000;

interface Sources {
  readonly store: Store;
  readonly options: ServerOptions;
  readonly volunteerUrls: () => string[];
  readonly scheduler: Scheduler;
  readonly registry: ClientRegistry;
  readonly jobs: JobReader;
  readonly watch: JobWatch;
  readonly tally: Tally;
  /** The servers of a shared store. */
  readonly directory?: Pick<ServerDirectory, "rows" | "others"> | undefined;
  readonly otherClients?: Pick<OtherClients, "joinedLately"> | undefined;
  readonly damaged: () => ServerStatus["damaged"];
}

/** The server as a whole, for the status page and for monitoring. */
export class Status {
  readonly #from: Sources;
  readonly #startedAt = Date.now();

  constructor(sources: Sources) {
    this.#from = sources;
  }

  async status(of: "all" | "own" = "all"): Promise<ServerStatus> {
    const { store, jobs, scheduler, directory } = this.#from;
    const others = of === "all" ? directory?.others : undefined;
    const running = of === "all" ? jobs.runningJobs() : scheduler.runningJobs();
    return this.#describe(await store.jobTotals(), running, others);
  }

  /** The content of the status page: status, the most important jobs, clients and throughput. */
  async snapshot(): Promise<Snapshot> {
    const { store, jobs, registry, watch, directory, otherClients } = this.#from;
    const totals = await store.jobTotals();
    const running = jobs.runningJobs();
    // A job between two short tasks counts as running.
    const moving = new Set([...running.keys(), ...watch.movedWithin(movingMs)]);
    const shown = await this.#jobsToShow([...moving]);
    const clients = sortClients(otherClients?.joinedLately(registry.list()) ?? registry.list(), {});
    return {
      status: await this.#describe(totals, running, directory?.others),
      jobs: await Promise.all(shown.map((row) => jobs.describe(row))),
      jobCount: totals.jobs,
      clients: clients.slice(0, clientsShown),
      clientCount: clients.length,
      usage: (await readUsage(store)).sort((a, b) => b.bytes.total - a.bytes.total).slice(0, customersShown),
      throughput: this.#throughput(directory?.others),
    };
  }

  #throughput(others: readonly Published[] = []): number[] {
    const all = others.map(({ throughput }) => throughput);
    return this.#from.tally
      .throughput()
      .map((count, second) => all.reduce((sum, each) => sum + (each[second] ?? 0), count));
  }

  /** In order: running jobs, failing ones, lately failed ones, waiting ones, ended ones; each newest first. */
  async #jobsToShow(movingIds: readonly JobId[]): Promise<JobRow[]> {
    const { store } = this.#from;
    const shown = new Map<JobId, JobRow>();
    const add = async (filter: JobFilter, most = jobsShown): Promise<void> => {
      const room = jobsShown - shown.size;
      if (room <= 0) return;
      // More rows than room: some may be shown already.
      const rows = await store.listJobs(filter, Math.min(jobsShown, most));
      for (const row of rows) if (shown.size < jobsShown) shown.set(row.id, row);
    };
    if (movingIds.length > 0) await add({ ids: movingIds, active: true }, jobsShown - failedShown);
    await add({ failing: true, active: true });
    await add({ failing: true, active: false }, failedShown);
    await add({ active: true });
    await add({ active: false });
    return [...shown.values()];
  }

  async #describe(
    totals: JobTotals,
    runningJobs: ReadonlyMap<JobId, number>,
    others: readonly Published[] = [],
  ): Promise<ServerStatus> {
    const { store, options, volunteerUrls, scheduler, tally, directory, damaged } = this.#from;
    const blobs = await store.blobUsage();
    let running = 0;
    for (const count of runningJobs.values()) running += count;
    return {
      version,
      startedAt: this.#startedAt,
      volunteers: options.volunteers,
      volunteerUrls: volunteerUrls(),
      jobs: totals.active,
      clients: this.#clients(others),
      tasks: {
        queued: Math.max(0, totals.openTasks - totals.provisional - running),
        running,
        provisional: totals.provisional,
        done: tally.done,
        failed: tally.failed,
        droppedResults: scheduler.counts.droppedResults,
      },
      rate: others.reduce((sum, { capacity }) => sum + capacity.rate, tally.rate()),
      blobs: { ...blobs, quotaBytes: options.blobQuotaBytes },
      ...(directory && { servers: directory.rows.map(describeServer) }),
      damaged: damaged(),
    };
  }

  /** The clients of this server and of others. */
  #clients(others: readonly Published[]): ServerStatus["clients"] {
    const { registry, tally } = this.#from;
    const all = joinCapacities([registry.capacity(tally.rate()), ...others.map(({ capacity }) => capacity)]);
    const { kinds, slots, busy } = all;
    return { browser: kinds.browser.clients, node: kinds.node.clients, slots, busy };
  }
}

function describeServer({ name, urls, since, live, silentMs, published }: KnownServer): ServerInfo {
  return {
    name,
    url: urls[0] ?? null,
    since,
    live,
    silentMs: Math.max(0, silentMs),
    version: published?.version ?? null,
    clients: published?.capacity.clients ?? 0,
    slots: published?.capacity.slots ?? 0,
    tasks: published?.leases ?? 0,
    claimed: published?.claimed ?? 0,
    rate: published?.capacity.rate ?? 0,
    lagMs: published?.lagMs ?? 0,
  };
}
