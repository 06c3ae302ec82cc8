import type { PrecacheItem } from "../shared/wire/precache.ts";
import type { PrecacheProgress, Requirements } from "../shared/wire/rest.ts";

/** Data that a customer asks clients to cache before tasks need it. */
export interface PrecacheRequest {
  readonly customer: string;
  readonly items: readonly PrecacheItem[];
  readonly requires: Requirements;
  /** The precache is not done before so many clients have all they will have of it. */
  readonly atLeast: number;
}

/** A precache that stands until it is ended. */
export interface StandingPrecache {
  progress(): PrecacheProgress;
  /** Resolves when {@link progress} may have changed, or `signal` is aborted. */
  changed(signal: AbortSignal): Promise<void>;
  end(): void;
}
