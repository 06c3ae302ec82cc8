import { forever } from "../forever.ts";
import { isWithin, nextWithin, readSchedule, type Schedule } from "./schedule.ts";

/** Times and states of the machine in which the page computes, as the person chose them. */
export interface Rules {
  readonly schedule?: Schedule | undefined;
  readonly mains?: boolean;
  readonly idle?: boolean;
}

/** Reads kept rules. */
export function readRules(raw: unknown): Rules {
  const { schedule, mains, idle } = Object(raw) as Record<string, unknown>;
  const read = readSchedule(schedule);
  return { ...(read && { schedule: read }), mains: mains === true, idle: idle === true };
}

/** Rules as they are kept; undefined when the page computes at all times. */
export function keptRules({ schedule, mains = false, idle = false }: Rules): Rules | undefined {
  if (!schedule && !mains && !idle) return undefined;
  return { ...(schedule && { schedule }), ...(mains && { mains }), ...(idle && { idle }) };
}

/** What the browser tells of the machine; undefined where it tells nothing. */
export interface Machine {
  readonly onBattery?: boolean | undefined;
  readonly inUse?: boolean | undefined;
}

/** The reason why nothing is computed for now. */
export type Hold =
  | { readonly why: "paused" | "schedule"; readonly until: Date | undefined }
  | { readonly why: "battery" | "busy" };

/** Why the page computes nothing for now; undefined when it may compute (SPEC.md [VOLUNTEER-4]). */
export function whyHeld(
  { pausedUntil, rules }: { readonly pausedUntil: number; readonly rules?: unknown },
  { onBattery = false, inUse = false }: Machine,
  now: Date,
): Hold | undefined {
  if (pausedUntil > now.getTime())
    return { why: "paused", until: pausedUntil === forever ? undefined : new Date(pausedUntil) };
  const { schedule, mains = false, idle = false } = readRules(rules);
  if (schedule && !isWithin(schedule, now)) return { why: "schedule", until: nextWithin(schedule, now) };
  if (mains && onBattery) return { why: "battery" };
  return idle && inUse ? { why: "busy" } : undefined;
}

/** Tomorrow at six in the morning, local time. */
export function tomorrow(now: Date): Date {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1, 6);
}
