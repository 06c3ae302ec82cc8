import { PlatformError } from "../../../shared/errors.ts";
import { hints } from "../../../shared/hints.ts";
import type { ClientId, JobId } from "../../../shared/ids.ts";
import type { Why } from "../../../shared/wire/why.ts";
import type { Scheduler } from "../../scheduler/scheduler.ts";
import type { ServerDirectory } from "../../server-directory.ts";
import type { JobRow, Store } from "../../store/store.ts";
import type { ClientBans } from "../client-bans.ts";
import type { ClientRegistry } from "../client-registry.ts";
import type { JobReader } from "../job-reader.ts";
import { whyClient } from "./client.ts";
import { whyJob } from "./job.ts";
import { reasonOf } from "./sentences.ts";
import { joinWhys, whyServer } from "./server.ts";

/** Most open jobs that are looked at, the newest: each is compared with every client. */
const jobsLookedAt = 200;

interface Sources {
  readonly store: Pick<Store, "listJobs">;
  readonly scheduler: Scheduler;
  readonly registry: Pick<ClientRegistry, "has" | "name">;
  readonly jobs: Pick<JobReader, "row">;
  readonly bans: Pick<ClientBans, "list">;
  readonly directory?: Pick<ServerDirectory, "ask"> | undefined;
}

/** Answers why no task is computed: of the server, a job, a client; with several servers of all of them together. */
export class Whys {
  readonly #from: Sources;

  constructor(sources: Sources) {
    this.#from = sources;
  }

  async server(of: "all" | "own" = "all"): Promise<Why> {
    const { scheduler } = this.#from;
    let running = 0;
    for (const count of scheduler.runningJobs().values()) running += count;
    const own = whyServer(scheduler.state, await this.#open(), running);
    return joinWhys(own, await this.#others(of, "/api/why"));
  }

  async job(id: JobId, of: "all" | "own" = "all"): Promise<Why> {
    const { scheduler, jobs, registry } = this.#from;
    const own = whyJob(scheduler.state, await jobs.row(id), (client) => registry.name(client as ClientId));
    return joinWhys(own, await this.#others(of, `/api/jobs/${id}/why`));
  }

  async client(id: string, of: "all" | "own" = "all"): Promise<Why> {
    const { scheduler, registry, bans } = this.#from;
    const ban = (await bans.list()).find(({ subject }) => subject === id);
    if (ban) return { running: 0, reasons: [reasonOf({ code: "banned", detail: ban.reason })] };
    if (registry.has(id))
      return whyClient(scheduler.state, id as ClientId, (await this.#open()).filter(waits).length);
    const [other] = await this.#others(of, `/api/clients/${encodeURIComponent(id)}/why`);
    if (other) return other;
    throw new PlatformError("NOT_FOUND", `No client ${id} is or was connected.`, undefined, hints.client);
  }

  #open(): Promise<JobRow[]> {
    return this.#from.store.listJobs({ active: true }, jobsLookedAt);
  }

  async #others(of: "all" | "own", path: string): Promise<readonly Why[]> {
    if (of === "own") return [];
    return (await this.#from.directory?.ask<Why>(`${path}?of=own`))?.answers ?? [];
  }
}

function waits({ waitingFor }: JobRow): boolean {
  return waitingFor.length > 0;
}
