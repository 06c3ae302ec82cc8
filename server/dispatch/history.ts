import type { Logger } from "pino";
import {
  historyFigures,
  historyMinutes,
  type Figures,
  type History as Answer,
  type HistoryFigure,
} from "../../shared/wire/history.ts";
import type { Sample, Store } from "../store/store.ts";

const minuteMs = 60_000;

/** Figures of a server since its start, and of this moment. */
export interface Counters {
  readonly done: number;
  readonly failed: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly references: number;
  readonly cached: number;
  /** Sum and number of measured latencies. */
  readonly latencySumMs: number;
  readonly latencies: number;
  readonly clients: number;
  readonly slots: number;
  readonly busy: number;
}

/** Keeps figures of each minute for a day, also over restarts (SPEC.md [HISTORY-1]). */
export class History {
  readonly #store: Pick<Store, "addSample" | "listSamples">;
  readonly #server: string;
  readonly #read: () => Counters;
  readonly #log: Logger;
  readonly #clock: () => number;
  #last: Counters;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: {
    store: Pick<Store, "addSample" | "listSamples">;
    /** Name of this server among several. */
    server: string;
    read: () => Counters;
    log: Logger;
    /** Ms since the Unix epoch. */
    clock?: () => number;
  }) {
    this.#store = parts.store;
    this.#server = parts.server;
    this.#read = parts.read;
    this.#log = parts.log;
    this.#clock = parts.clock ?? Date.now;
    this.#last = parts.read();
  }

  /** Takes a sample at the end of each minute, from now on. */
  start(): void {
    const wait = minuteMs - (this.#clock() % minuteMs);
    this.#timer = setTimeout(() => {
      void this.sample().finally(() => this.#timer && this.start());
    }, wait).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Keeps the figures since the last sample as those of the minute that ends. */
  async sample(): Promise<void> {
    const now = this.#read();
    const figures = difference(now, this.#last);
    this.#last = now;
    // A timer may come a moment early or late.
    const minute = Math.round(this.#clock() / minuteMs) - 1;
    try {
      const sample = { minute, server: this.#server, figures: JSON.stringify(figures) };
      await this.#store.addSample(sample, minute + 1 - historyMinutes);
    } catch (error) {
      this.#log.debug({ err: error }, "the figures of a minute are not kept");
    }
  }

  async history(): Promise<Answer> {
    const end = Math.floor(this.#clock() / minuteMs);
    const oldest = end - historyMinutes;
    return historyOf(await this.#store.listSamples(oldest), oldest);
  }
}

function difference(now: Counters, last: Counters): Figures {
  const since = (name: keyof Counters): number => now[name] - last[name];
  const latencies = since("latencies");
  return {
    done: since("done"),
    failed: since("failed"),
    latencyMs: latencies > 0 ? Math.round((since("latencySumMs") / latencies) * 100) / 100 : null,
    bytesIn: since("bytesIn"),
    bytesOut: since("bytesOut"),
    references: since("references"),
    cached: since("cached"),
    clients: now.clients,
    slots: now.slots,
    busy: now.busy,
  };
}

/** The samples of all servers as columns of a day. */
export function historyOf(samples: readonly Sample[], oldest: number): Answer {
  const columns = Object.fromEntries(
    historyFigures.map((name) => [name, Array.from({ length: historyMinutes }, (): number | null => null)]),
  ) as Record<HistoryFigure, (number | null)[]>;
  const latencies = new Map<number, number[]>();
  for (const { minute, figures } of samples) {
    const at = minute - oldest;
    if (at < 0 || at >= historyMinutes) continue;
    const told = JSON.parse(figures) as Partial<Figures>;
    for (const name of historyFigures) {
      const value = told[name];
      if (typeof value !== "number") continue;
      if (name === "latencyMs") latencies.set(at, [...(latencies.get(at) ?? []), value]);
      else columns[name][at] = (columns[name][at] ?? 0) + value;
    }
  }
  for (const [at, all] of latencies)
    columns.latencyMs[at] = all.reduce((sum, ms) => sum + ms, 0) / all.length;
  return { from: oldest * minuteMs, everyMs: minuteMs, figures: columns };
}
