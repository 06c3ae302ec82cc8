import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { History, historyOf, type Counters } from "../../server/dispatch/history.ts";
import { openMemoryStore } from "../../server/store/sqlite/open.ts";

const none: Counters = {
  done: 0,
  failed: 0,
  bytesIn: 0,
  bytesOut: 0,
  references: 0,
  cached: 0,
  latencySumMs: 0,
  latencies: 0,
  clients: 0,
  slots: 0,
  busy: 0,
};
const log = pino({ level: "silent" });

test("[HISTORY-1] a minute has what was added in it, a restart begins from nothing, and a day is kept", async () => {
  const store = await openMemoryStore();
  onTestFinished(() => store.close());
  let counters = { ...none, done: 1000 };
  let now = 10 * 24 * 3_600_000;
  const start = (): History =>
    new History({ store, server: "", read: () => counters, log, clock: () => now });
  const history = start();
  now += 60_000;
  counters = { ...counters, done: 1060, clients: 3, latencySumMs: 50, latencies: 10 };
  await history.sample();
  counters = { ...none, done: 0, clients: 2 };
  const restarted = start();
  now += 120_000;
  counters = { ...counters, done: 5 };
  await restarted.sample();
  const { figures, from, everyMs } = await restarted.history();
  expect([from, everyMs]).toEqual([now - 24 * 3_600_000, 60_000]);
  expect(figures.done.slice(-4)).toEqual([null, 60, null, 5]);
  expect(figures.clients.slice(-3)).toEqual([3, null, 2]);
  expect(figures.latencyMs.slice(-3)).toEqual([5, null, null]);
  now += 24 * 3_600_000;
  await restarted.sample();
  expect(await store.listSamples(0)).toHaveLength(1);
});

test("[HISTORY-1] figures of several servers add up, latencies are averaged, those of other versions are left out", () => {
  const sample = (server: string, figures: object) => ({
    minute: 100,
    server,
    figures: JSON.stringify(figures),
  });
  const { figures } = historyOf(
    [
      sample("a", { done: 2, latencyMs: 10, news: 1 }),
      sample("b", { done: 3, latencyMs: 20, clients: null }),
    ],
    100,
  );
  expect([figures.done[0], figures.latencyMs[0], figures.clients[0]]).toEqual([5, 15, null]);
});
