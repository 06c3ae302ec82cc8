const counting = new Intl.NumberFormat("en");
const precise = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

/** 1234567 → "1,234,567". */
export function formatCount(count: number): string {
  return counting.format(count);
}

/** A rate a second with three significant digits. */
export function formatRate(perSecond: number): string {
  if (perSecond > 0 && perSecond < 0.01) return "< 0.01/s";
  return `${perSecond >= 100 ? counting.format(Math.round(perSecond)) : precise.format(perSecond)}/s`;
}

/** "1 task", "2 tasks". */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
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

/** First characters of a SHA-256, enough to distinguish two. */
export function shortHash(sha256: string): string {
  return sha256.slice(0, 10);
}
