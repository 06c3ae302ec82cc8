/** Hours of a week in which the page computes: a mask of 24 bits for each day, Monday first; bit 0 is the hour from midnight. */
export type Schedule = readonly number[];

const days = 7;
const hours = 24;
const allHours = 2 ** hours - 1;

export const always: Schedule = Array.from({ length: days }, () => allHours);

/** Reads a kept schedule; undefined for what is none. */
export function readSchedule(raw: unknown): Schedule | undefined {
  const isDay = (mask: unknown): boolean =>
    Number.isInteger(mask) && Number(mask) >= 0 && Number(mask) <= allHours;
  return Array.isArray(raw) && raw.length === days && raw.every(isDay) ? (raw as number[]) : undefined;
}

export function isOn(schedule: Schedule, day: number, hour: number): boolean {
  return ((schedule[day]! >> hour) & 1) === 1;
}

/** The schedule with an hour switched on or off. */
export function withHour(schedule: Schedule, day: number, hour: number, on: boolean): Schedule {
  return schedule.map((mask, at) => (at !== day ? mask : on ? mask | (1 << hour) : mask & ~(1 << hour)));
}

/** Position of a local time in a week that begins on Monday. */
function placeOf(time: Date): { day: number; hour: number } {
  return { day: (time.getDay() + 6) % days, hour: time.getHours() };
}

export function isWithin(schedule: Schedule, time: Date): boolean {
  const { day, hour } = placeOf(time);
  return isOn(schedule, day, hour);
}

/** When the next hour begins in which the page computes, on the local clock; undefined when there is none. */
export function nextWithin(schedule: Schedule, time: Date): Date | undefined {
  for (let ahead = 1; ahead <= days * hours; ahead++) {
    // Hours of the clock, so that a change to or from summer time moves nothing.
    const next = new Date(time.getFullYear(), time.getMonth(), time.getDate(), time.getHours() + ahead);
    if (isWithin(schedule, next)) return next;
  }
  return undefined;
}
