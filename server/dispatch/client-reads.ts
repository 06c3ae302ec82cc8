import type { ClientId, Sha256 } from "../../shared/ids.ts";
import type { Scheduler } from "../scheduler/scheduler.ts";
import type { Store } from "../store/store.ts";
import type { ClientUploads } from "./client-uploads.ts";
import { adoptedJobs } from "./held-jobs.ts";
import type { Precaches } from "./precaches.ts";

/** After the end of its task a download may go on as long as its requests are at most this far apart. */
const goOnMs = 10 * 60_000;
/** Most remembered reads of a client, and most clients with remembered reads. */
const maxReads = 1024;
const maxClients = 20_000;

/** Decides which blobs and kernels a client may read (SPEC.md [READ-2]), in most cases from the scheduler's state alone. */
export class ClientReads {
  readonly #store: Store;
  readonly #scheduler: Scheduler;
  readonly #precaches: Precaches;
  readonly #uploads: ClientUploads;
  /** Times of the last permitted request of each client for each blob; the oldest first. */
  readonly #reads = new Map<ClientId, Map<Sha256, number>>();

  constructor(store: Store, scheduler: Scheduler, precaches: Precaches, uploads: ClientUploads) {
    this.#store = store;
    this.#scheduler = scheduler;
    this.#precaches = precaches;
    this.#uploads = uploads;
  }

  mayRead(client: ClientId, sha256: Sha256): boolean | Promise<boolean> {
    if (this.#goesOn(client, sha256) || this.#isOfItsTasks(client, sha256)) return this.#note(client, sha256);
    return this.#isStored(client, sha256).then((may) => may && this.#note(client, sha256));
  }

  #goesOn(client: ClientId, sha256: Sha256): boolean {
    const at = this.#reads.get(client)?.get(sha256);
    return at !== undefined && performance.now() - at < goOnMs;
  }

  #isOfItsTasks(client: ClientId, sha256: Sha256): boolean {
    if (this.#precaches.isAsked(client, sha256) || this.#uploads.has(client, sha256)) return true;
    let job: object | undefined;
    for (const { task } of this.#scheduler.client(client)?.leases ?? []) {
      // Leases of one job are mostly neighbours.
      if (task.job !== job && task.job.info.descriptor.kernel.sha256 === sha256) return true;
      ({ job } = task);
      for (const ref of task.claimed.refs) if (ref.sha256 === sha256) return true;
    }
    return false;
  }

  /** Permits reads that the scheduler's state does not show: blobs of a checkpoint, of a lease without a claim yet, uploads before a restart. */
  async #isStored(client: ClientId, sha256: Sha256): Promise<boolean> {
    const customer = this.#customerOfCheckpoint(client, sha256);
    if (customer !== undefined && (await this.#store.getBlob(sha256, { customer }))) return true;
    for (const job of adoptedJobs(this.#scheduler.state, client)) {
      if (job.info.descriptor.kernel.sha256 === sha256) return true;
      if (await this.#store.jobHasBlob(job.id, sha256)) return true;
    }
    return (await this.#store.getBlob(sha256, { client })) !== undefined;
  }

  /** The customer of a held task whose checkpoint names the blob. */
  #customerOfCheckpoint(client: ClientId, sha256: Sha256): string | undefined {
    for (const { task } of this.#scheduler.client(client)?.leases ?? [])
      if (task.checkpoint && viewOf(task.checkpoint).includes(sha256)) return task.job.info.customer;
    return undefined;
  }

  #note(client: ClientId, sha256: Sha256): true {
    const reads = this.#reads.get(client) ?? new Map<Sha256, number>();
    reads.delete(sha256);
    reads.set(sha256, performance.now());
    forgetOldest(reads, maxReads);
    this.#reads.delete(client);
    this.#reads.set(client, reads);
    forgetOldest(this.#reads, maxClients);
    return true;
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** Drops the first entry: a Map keeps the order of insertion. */
function forgetOldest<Key>(map: Map<Key, unknown>, most: number): void {
  if (map.size > most) map.delete(map.keys().next().value!);
}
