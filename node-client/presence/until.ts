/** Parses a local time of day such as `07:00`. @returns minutes since midnight, or undefined for other text */
export function parseTimeOfDay(text: string): number | undefined {
  const match = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(text);
  return match ? Number(match[1]) * 60 + Number(match[2]) : undefined;
}

/**
 * The next moment after `now` when local clocks show this time of day. The calendar gives the next day, because a day on which daylight
 * saving starts or ends has 23 or 25 hours.
 */
export function nextTimeOfDay(minutes: number, now: Date): Date {
  const at = new Date(now);
  at.setHours(Math.floor(minutes / 60), minutes % 60, 0, 0);
  if (at.getTime() <= now.getTime()) {
    at.setDate(at.getDate() + 1);
    at.setHours(Math.floor(minutes / 60), minutes % 60, 0, 0);
  }
  return at;
}
