import type { ServerStatus, Snapshot } from "../../shared/rest.ts";
import { version } from "../../shared/version.ts";
import type { ServerOptions } from "../options.ts";
import type { Scheduler } from "../scheduler/scheduler.ts";
import type { JobRow, Store } from "../store/store.ts";
import type { ClientRegistry } from "./client-registry.ts";
import type { JobReader } from "./job-reader.ts";
import type { Tally } from "./tally.ts";

/** Jobs on the status page. */
const jobsShown = 200;

interface Sources {
  readonly store: Store;
  readonly options: ServerOptions;
  readonly volunteerUrls: () => string[];
  readonly scheduler: Scheduler;
  readonly registry: ClientRegistry;
  readonly jobs: JobReader;
  readonly tally: Tally;
}

/** The server as a whole, for the status page and for what watches it. */
export class Status {
  readonly #from: Sources;
  readonly #startedAt = Date.now();

  constructor(sources: Sources) {
    this.#from = sources;
  }

  async status(): Promise<ServerStatus> {
    return this.#describe(await this.#from.store.listJobs({ active: true }));
  }

  /** Status, the newest jobs (active ones first), clients and throughput: all that the status page shows. */
  async snapshot(): Promise<Snapshot> {
    const { store, jobs, registry, tally } = this.#from;
    const active = await store.listJobs({ active: true });
    const room = Math.max(0, jobsShown - active.length);
    // No more: with 3,000 ended jobs a listener cost 4.2 % of a core when all were read every second, 1.5 % so.
    const ended = room > 0 ? await store.listJobs({ active: false, limit: room }) : [];
    const shown = [...active, ...ended].slice(0, jobsShown);
    return {
      status: await this.#describe(active),
      jobs: await Promise.all(shown.map((row) => jobs.describe(row))),
      clients: registry.list(),
      throughput: tally.throughput(),
    };
  }

  async #describe(active: readonly JobRow[]): Promise<ServerStatus> {
    const { store, options, volunteerUrls, scheduler, registry, tally } = this.#from;
    const blobs = await store.blobUsage();
    const running = active.reduce((sum, row) => sum + scheduler.running(row.id), 0);
    const open = active.reduce((sum, row) => sum + row.total - row.done - row.failed, 0);
    return {
      version,
      startedAt: this.#startedAt,
      volunteers: options.volunteers,
      volunteerUrls: volunteerUrls(),
      jobs: active.length,
      clients: registry.summary(),
      tasks: {
        queued: Math.max(0, open - running),
        running,
        done: tally.done,
        failed: tally.failed,
        droppedResults: scheduler.counts.droppedResults,
      },
      rate: tally.rate(),
      blobs: { ...blobs, quotaBytes: options.blobQuotaBytes },
    };
  }
}
