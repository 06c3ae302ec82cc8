import { expect, onTestFinished, test, vi } from "vitest";
import { Heartbeats } from "../../server/sockets/heartbeats.ts";

test("every connection has its heartbeat once a period, and never many at once", () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const connections = new Set(Array.from({ length: 1000 }, (_, number) => number));
  const beats = new Map<number, number>();
  let atOnce = 0;
  const heartbeats = new Heartbeats(connections, 6400, (number) => {
    beats.set(number, (beats.get(number) ?? 0) + 1);
    atOnce += 1;
  });
  onTestFinished(() => heartbeats.stop());
  for (let part = 0; part < 128; part++) {
    atOnce = 0;
    vi.advanceTimersByTime(100);
    expect(atOnce).toBeLessThan(20);
    // Connections leave before their turn, others join.
    connections.delete(part * 7);
    connections.add(1000 + part);
  }
  for (const number of connections) {
    const isNew = number >= 1000;
    // A round takes a little longer than a period while more join, and a little less while more leave.
    expect(beats.get(number) ?? 0).toBeGreaterThanOrEqual(isNew ? 0 : 1);
    expect(beats.get(number) ?? 0).toBeLessThanOrEqual(isNew ? 2 : 3);
  }
  const sum = [...beats.values()].reduce((total, count) => total + count, 0);
  expect(sum).toBeGreaterThan(1900);
  expect(sum).toBeLessThan(2200);
});

test("one connection has one heartbeat a period", () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  let beats = 0;
  const heartbeats = new Heartbeats(new Set(["alone"]), 6400, () => (beats += 1));
  onTestFinished(() => heartbeats.stop());
  vi.advanceTimersByTime(6300);
  expect(beats).toBe(0);
  vi.advanceTimersByTime(100);
  expect(beats).toBe(1);
  vi.advanceTimersByTime(64_000);
  expect(beats).toBe(11);
});
