/** Numbers and dates in English, until the page chooses another language. */
let counting = new Intl.NumberFormat("en");
let precise = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
let fractional = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
let dates: string | undefined;
let [clock, clockWithMs] = clocksIn("en");

/** Formats numbers and dates as people of a language expect them. Units are symbols, which all languages share. */
export function formatIn(language: string): void {
  counting = new Intl.NumberFormat(language);
  precise = new Intl.NumberFormat(language, { maximumSignificantDigits: 3 });
  fractional = new Intl.NumberFormat(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  // English is also for people of other languages, whose browsers know how they write a date.
  dates = language === "en" ? undefined : language;
  [clock, clockWithMs] = clocksIn(language);
}

/** 1234567 → "1,234,567". */
export function formatCount(count: number): string {
  return counting.format(count);
}

/** A number with three significant digits. */
export function formatPrecise(number: number): string {
  return precise.format(number);
}

/** A rate a second with three significant digits. */
export function formatRate(perSecond: number): string {
  if (perSecond > 0 && perSecond < 0.01) return `< ${precise.format(0.01)}/s`;
  return `${perSecond >= 100 ? counting.format(Math.round(perSecond)) : precise.format(perSecond)}/s`;
}

/** "1 task", "2 tasks". */
export function counted(count: number, one: string, many: string): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** "12 s", "3 min", "2 h 05 min", "4 d 3 h". */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** "1.5 ms", "230 ms", "2.0 s". */
export function formatBrief(ms: number): string {
  if (ms >= 1_000) return `${fractional.format(ms / 1_000)} s`;
  return `${ms < 10 ? fractional.format(ms) : counting.format(Math.round(ms))} ms`;
}

/** Bytes in binary units. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024;
    unit++;
  }
  return `${precise.format(bytes)} ${units[unit]}`;
}

/** 0.137 → "14 %"; "100 %" only for all. */
export function formatShare(share: number): string {
  const percent = share >= 1 ? 100 : Math.min(99, Math.round(share * 100));
  return `${percent} %`;
}

/** Date and time of day. */
export function formatDate(at: number): string {
  return new Date(at).toLocaleString(dates);
}

/** Time of day. */
export function formatTime(at: number): string {
  return new Date(at).toLocaleTimeString(dates);
}

/** Time of day of 24 hours, to the millisecond where that tells something. */
export function formatClock(at: number, hasMs: boolean): string {
  return (hasMs ? clockWithMs : clock).format(at);
}

function clocksIn(language: string): [Intl.DateTimeFormat, Intl.DateTimeFormat] {
  const parts = { hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit" } as const;
  return [
    new Intl.DateTimeFormat(language, parts),
    new Intl.DateTimeFormat(language, { ...parts, fractionalSecondDigits: 3 }),
  ];
}

/** First characters of a SHA-256, enough to distinguish two. */
export function shortHash(sha256: string): string {
  return sha256.slice(0, 10);
}
