/** What is seen of a machine at one moment. */
export interface Sighting {
  /** Load average of the last minute (/proc/loadavg); undefined where the system has none. */
  readonly load: number | undefined;
  /** Milliseconds since a person last typed or moved something; undefined when the system does not tell. */
  readonly inputIdleMs: number | undefined;
}

interface IdleRules {
  /** Cores of the machine. */
  readonly cores: number;
  /** A person who did nothing for so long has left. */
  readonly inputIdleMs: number;
  /** Load of others, in shares of the cores, above which the machine is in use. */
  readonly loadAbove: number;
  /** … and below which it is free again; lower, so that it does not swing. */
  readonly loadBelow: number;
}

/** Five minutes as screen savers have it; the loads are a quarter of the machine in use, and nearly nothing. */
export const defaultIdleRules = { inputIdleMs: 5 * 60_000, loadAbove: 0.25, loadBelow: 0.15 } as const;

/** Whether a machine is in use by others, and why; `pausedNow` says how it was judged before. */
export function isInUse(
  { load, inputIdleMs }: Sighting,
  ownLoad: number,
  pausedNow: boolean,
  rules: IdleRules,
): { inUse: boolean; reason: string } {
  if (inputIdleMs !== undefined && inputIdleMs < rules.inputIdleMs)
    return { inUse: true, reason: `somebody used it ${Math.round(inputIdleMs / 1000)} s ago` };
  const others = Math.max(0, (load ?? 0) - ownLoad);
  const limit = (pausedNow ? rules.loadBelow : rules.loadAbove) * rules.cores;
  if (others > limit) return { inUse: true, reason: `other programs have a load of ${others.toFixed(1)}` };
  return { inUse: false, reason: "nobody uses it" };
}

/**
 * This client's part of the load average. The kernel's average forgets with a time constant of one minute, so its part has
 * to be averaged alike: counting only what runs now would take the client's own past for somebody else's work.
 */
export class OwnLoad {
  #load = 0;
  #at: number;

  constructor(now: number) {
    this.#at = now;
  }

  /** `running` kernels since the last call. @returns the part of the one-minute load average that is this client's */
  update(running: number, now: number): number {
    const kept = Math.exp(-(now - this.#at) / 60_000);
    this.#at = now;
    this.#load = running + (this.#load - running) * kept;
    return this.#load;
  }
}
