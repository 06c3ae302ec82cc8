/** Use of a machine at one moment. */
export interface Sighting {
  /** Load average of the last minute (/proc/loadavg); undefined where the system has none. */
  readonly load: number | undefined;
  /** Milliseconds since a person last used keyboard or mouse; undefined when the system does not tell. */
  readonly inputIdleMs: number | undefined;
}

interface IdleRules {
  /** Cores of the machine. */
  readonly cores: number;
  /** A person counts as away after this long without keyboard and mouse. */
  readonly inputIdleMs: number;
  /** Load of others, in shares of the cores, above which the machine is in use. */
  readonly loadAbove: number;
  /** Load of others below which the machine is free again; lower, so that the client does not swing. */
  readonly loadBelow: number;
}

/** Five minutes are usual for screen savers; the machine is in use at a quarter of its cores, and free at nearly none. */
export const defaultIdleRules = { inputIdleMs: 5 * 60_000, loadAbove: 0.25, loadBelow: 0.15 } as const;

/** Whether a machine is in use by others, and why. @param pausedNow - whether it was in use before */
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
 * The client's own part of the load average. The system's average decays with a time constant of one minute, and the client's part must
 * decay alike, or its own past would count as work of others.
 */
export class OwnLoad {
  #load = 0;
  #at: number;

  constructor(now: number) {
    this.#at = now;
  }

  /** Counts `running` kernels since the last call. @returns this client's part of the one-minute load average */
  update(running: number, now: number): number {
    const kept = Math.exp(-(now - this.#at) / 60_000);
    this.#at = now;
    this.#load = running + (this.#load - running) * kept;
    return this.#load;
  }
}
