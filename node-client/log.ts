import { pino, type DestinationStream, type Logger } from "pino";

export const logLevels = ["trace", "debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

/** A logger on standard error: lines for people on a terminal, JSON for programs and log collectors. */
export function createLogger(level: LogLevel, json: boolean): Logger {
  const human = process.stderr.isTTY && !json;
  const destination: DestinationStream = {
    write: (line) => void process.stderr.write(human ? readable(line) : line),
  };
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}

function readable(line: string): string {
  const { time, level, msg, ...details } = JSON.parse(line) as Record<string, unknown>;
  const clock = new Date(String(time)).toTimeString().slice(0, 8);
  const mark = Number(level) >= 40 ? `${pino.levels.labels[Number(level)] ?? "warn"}: ` : "";
  const rest = Object.entries(details).map(([key, value]) => ` ${key}=${show(value)}`);
  return `${clock} ${mark}${String(msg)}${rest.join("")}\n`;
}

function show(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
