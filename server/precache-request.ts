import type { PrecacheItem } from "../shared/wire/precache.ts";
import type { PrecacheProgress } from "../shared/wire/rest/precache.ts";
import type { Requirements } from "../shared/wire/rest/requirements.ts";

/** Data that a customer asks clients to cache before tasks need it. */
export interface PrecacheRequest {
  /** Absent when another server asks for its customer, whom it has counted. */
  readonly customer?: string | undefined;
  readonly items: readonly PrecacheItem[];
  readonly requires: Requirements;
  /** Clients that have to finish before the precache counts as done. */
  readonly atLeast: number;
}

/** A precache that stands until `end` is called. */
export interface StandingPrecache {
  progress(): PrecacheProgress;
  /** Resolves when {@link progress} may have changed, or `signal` is aborted. */
  changed(signal: AbortSignal): Promise<void>;
  end(): void;
}
