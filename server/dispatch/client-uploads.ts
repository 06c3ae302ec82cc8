import { PlatformError } from "../../shared/errors.ts";
import type { ClientId, Sha256 } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import type { Scheduler } from "../scheduler/scheduler.ts";
import type { Store } from "../store/store.ts";
import { adoptedJobs } from "./held-jobs.ts";

const mib = 1024 ** 2;
/** A client that is away for this long delivers no late result. */
const abandonedMs = 3_600_000;

/** An upload that a client asks for. */
export interface ClientUpload {
  readonly sha256: Sha256;
  /** Bytes that the client announced. */
  readonly size: number | undefined;
  /** Removes a blob without owners. */
  readonly remove: (sha256: Sha256) => Promise<void>;
}

interface Upload {
  readonly size: number;
  /** Time of the upload on the scheduler's clock. */
  readonly at: number;
}

/**
 * Blobs that clients uploaded and no result has named yet, which bounds the disk space of a volunteer (SPEC.md [QUOTA-4]). They are
 * counted in memory: after a restart each client starts from 0, and its earlier uploads are collected like any unused blobs.
 */
export class ClientUploads {
  readonly #store: Store;
  readonly #scheduler: Scheduler;
  readonly #clients = new Map<ClientId, Map<Sha256, Upload>>();

  constructor(store: Store, scheduler: Scheduler) {
    this.#store = store;
    this.#scheduler = scheduler;
  }

  has(client: ClientId, sha256: Sha256): boolean {
    return this.#clients.get(client)?.has(sha256) === true;
  }

  /** Drops a blob from the count, because a result names it. */
  named(client: ClientId, sha256: Sha256): void {
    const uploads = this.#clients.get(client);
    if (uploads?.delete(sha256) && uploads.size === 0) this.#clients.delete(client);
  }

  /**
   * Counts an upload, and makes room for it.
   * @returns a function that undoes the count, for a failed upload
   * @throws PlatformError FORBIDDEN, QUOTA_EXCEEDED, BAD_REQUEST
   */
  async begin(client: ClientId, { sha256, size, remove }: ClientUpload): Promise<() => void> {
    const { trusted } = this.#scheduler.client(client)?.info ?? { trusted: false };
    if (!trusted && size === undefined)
      throw new PlatformError("BAD_REQUEST", "An upload says its size; expected Content-Length.");
    const end = this.#count(client, sha256, size ?? 0);
    if (!trusted)
      await this.#makeRoom(client, remove).catch((error: unknown) => {
        end();
        throw error;
      });
    return end;
  }

  /** Counts the upload before room is made, so that simultaneous uploads do not share the same room. A repeated upload counts once. */
  #count(client: ClientId, sha256: Sha256, size: number): () => void {
    if (this.has(client, sha256)) return () => {};
    const uploads = this.#clients.get(client) ?? new Map<Sha256, Upload>();
    uploads.set(sha256, { size, at: this.#scheduler.state.now });
    this.#clients.set(client, uploads);
    return () => this.named(client, sha256);
  }

  /** Removes uploads of clients that are gone. */
  async collect(remove: (sha256: Sha256) => Promise<void>): Promise<void> {
    const before = this.#scheduler.state.now - abandonedMs;
    for (const [client, uploads] of this.#clients)
      if (!this.#scheduler.client(client))
        for (const [sha256, { at }] of uploads) if (at < before) await this.#drop(client, sha256, remove);
  }

  async #drop(client: ClientId, sha256: Sha256, remove: (sha256: Sha256) => Promise<void>): Promise<void> {
    this.named(client, sha256);
    if (await this.#store.disownBlob(sha256, { client })) await remove(sha256);
  }

  async #makeRoom(client: ClientId, remove: (sha256: Sha256) => Promise<void>): Promise<void> {
    const { bytes: allowed, since } = this.#allowance(client);
    if (allowed === 0)
      throw new PlatformError(
        "FORBIDDEN",
        "This client holds no task; expected uploads of results only.",
        undefined,
        "Upload while the task is held.",
      );
    if (this.#unnamed(client) > allowed)
      for (const [sha256, { at }] of this.#clients.get(client) ?? [])
        // An upload that is older than every held task belongs to none of them.
        if (at < since) await this.#drop(client, sha256, remove);
    const unnamed = this.#unnamed(client);
    if (unnamed <= allowed) return;
    throw new PlatformError(
      "QUOTA_EXCEEDED",
      `${unnamed} bytes uploaded that no result has named yet, this upload included; the tasks that this client holds may upload ${allowed} bytes, the memoryMb of their jobs.`,
      undefined,
      "Give the job a larger memoryMb.",
    );
  }

  /** Bytes that the held tasks of a client may upload, and the time since which it holds the oldest task. */
  #allowance(client: ClientId): { bytes: number; since: number } {
    let memoryMb = 0;
    let since = Infinity;
    for (const { task, leasedAt } of this.#scheduler.client(client)?.leases ?? []) {
      memoryMb += task.job.info.descriptor.memoryMb;
      since = Math.min(since, leasedAt);
    }
    for (const job of adoptedJobs(this.#scheduler.state, client)) {
      memoryMb += job.info.descriptor.memoryMb;
      since = 0;
    }
    return { bytes: Math.min(memoryMb * mib, limits.blobBytes), since };
  }

  #unnamed(client: ClientId): number {
    let bytes = 0;
    for (const { size } of this.#clients.get(client)?.values() ?? []) bytes += size;
    return bytes;
  }
}
