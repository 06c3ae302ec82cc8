export const daysKept = 30;

/** Work of one day, or of all days. */
export interface Work {
  readonly tasks: number;
  readonly busyMs: number;
}

/** What this browser has computed, kept across visits. */
export interface History {
  /** By local day, such as 2026-11-29; the last {@link daysKept} at most. */
  readonly days: Readonly<Record<string, Work>>;
  readonly all: Work;
}

const nothing: Work = { tasks: 0, busyMs: 0 };
export const noHistory: History = { days: {}, all: nothing };

/** Name of a local day. */
export function dayOf(time: Date): string {
  const two = (part: number): string => String(part).padStart(2, "0");
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
}

/** The last days, today last, those without work as well. */
export function lastDays({ days }: History, now: Date): { day: string; time: Date; work: Work }[] {
  return Array.from({ length: daysKept }, (_, i) => {
    const time = new Date(now.getFullYear(), now.getMonth(), now.getDate() - daysKept + 1 + i);
    const day = dayOf(time);
    return { day, time, work: days[day] ?? nothing };
  });
}

/** The history with further work at a time. */
export function withWork(history: History, work: Work, now: Date): History {
  const add = (a: Work, b: Work): Work => ({ tasks: a.tasks + b.tasks, busyMs: a.busyMs + b.busyMs });
  const day = dayOf(now);
  const days = { ...history.days, [day]: add(history.days[day] ?? nothing, work) };
  const kept = Object.keys(days).sort().slice(-daysKept);
  return { days: Object.fromEntries(kept.map((name) => [name, days[name]!])), all: add(history.all, work) };
}

/** Reads a kept history; what is none counts as none. */
export function readHistory(raw: unknown): History {
  const { days, all } = Object(raw) as Record<string, unknown>;
  const readWork = (work: unknown): Work => {
    const { tasks, busyMs } = Object(work) as Record<string, unknown>;
    return Number(tasks) >= 0 && Number(busyMs) >= 0
      ? { tasks: Number(tasks), busyMs: Number(busyMs) }
      : nothing;
  };
  const named = Object.entries(Object(days) as Record<string, unknown>)
    .filter(([day]) => /^\d{4}-\d\d-\d\d$/.test(day))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .slice(-daysKept);
  return {
    days: Object.fromEntries(named.map(([day, work]) => [day, readWork(work)])),
    all: readWork(all),
  };
}
