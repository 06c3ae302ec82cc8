import { describe, expect, onTestFinished, test } from "vitest";
import { connect } from "../../customer/connect.ts";
import type { Hands } from "../../customer/hands.ts";
import type { Progress } from "../../customer/progress.ts";
import type { ServerOptions } from "../../server/options.ts";
import { Link, links, type LinkShape } from "../support/link/link.ts";
import { startClientProcess, until } from "../support/processes.ts";
import { quickest } from "../support/quickest.ts";
import { startTestServer } from "../support/server.ts";

/** A server with a client behind a link, and a customer beside the server. */
async function startLinked(
  shape: LinkShape,
  { slots = 2, ...options }: Partial<ServerOptions> & { slots?: number } = {},
): Promise<{ link: Link; hands: Hands; log: () => string }> {
  const server = await startTestServer(options);
  const link = await Link.start(server.url, shape);
  onTestFinished(() => link.close());
  const { log } = await startClientProcess({ url: link.url, token: server.token }, ["--slots", `${slots}`]);
  const hands = await connect(server.url, { token: server.token });
  onTestFinished(() => hands.close());
  // The client, its sandboxes and its measured times are there.
  await hands.map((x: number) => x, [1, 2, 3, 4, 5, 6, 7, 8]);
  return { link, hands, log };
}

const size = 200_000;
const measure = (bytes: Uint8Array): number => bytes.length;

async function mapBytes(hands: Hands, count: number): Promise<void> {
  const lengths = await hands.map(
    measure,
    Array.from({ length: count }, (_, index) => new Uint8Array(size).fill(index + 1)),
  );
  expect(lengths).toEqual(Array.from({ length: count }, () => size));
}

describe("[MILES-1] inline inputs over a slow link", () => {
  test("the client is not cut off, and the link is busy", async () => {
    // A link that is slow beside a busy machine.
    const shape = { ...links.a, downMbitPerS: 20 };
    const { link, hands } = await startLinked(shape);
    const count = 50;
    const idealMs = (count * size * 8) / (shape.downMbitPerS * 1000);
    const ms = await quickest(async () => {
      const began = performance.now();
      await mapBytes(hands, count);
      return performance.now() - began;
    }, 1.6 * idealMs);
    expect(ms).toBeLessThan(1.6 * idealMs);
    // The kernel comes with its lease.
    expect(await link.counts()).toMatchObject({ connections: 1, open: 1 });
  });

  test("the watchdog sees life in bytes, and nothing is sent twice", async () => {
    // Frames of 400 kB take 3.2 s, and with those in front of them longer than the watchdog waits.
    const shape = { ...links.b, downMbitPerS: 1 };
    const { link, hands } = await startLinked(shape, { heartbeatMs: 1500 });
    const before = await link.counts();
    const began = performance.now();
    await mapBytes(hands, 12);
    const idealMs = (12 * size * 8) / 1000;
    expect(performance.now() - began).toBeLessThan(1.5 * idealMs);
    const after = await link.counts();
    expect(after.connections).toBe(before.connections);
    expect(after.down - before.down).toBeLessThan(1.1 * 12 * size);
  });
});

describe("[MILES-7] texts over a slow link", () => {
  test("are compressed in both directions", async () => {
    const { link, hands } = await startLinked({ ...links.b, downMbitPerS: 5, upMbitPerS: 2 });
    const text = (index: number): string[] =>
      Array.from({ length: 8000 }, (_, at) => `particle ${index} at ${at}`);
    const inputs = Array.from({ length: 30 }, (_, index) => text(index));
    const bytes = 30 * 8000 * 20;
    const before = await link.counts();
    expect(await hands.map((lines: string[]) => lines.toReversed(), inputs)).toEqual(
      inputs.map((lines) => lines.toReversed()),
    );
    const after = await link.counts();
    expect(after.down - before.down).toBeLessThan(0.7 * bytes);
    expect(after.up - before.up).toBeLessThan(0.7 * bytes);
    expect(after.connections).toBe(before.connections);
  });
});

describe("[MILES-9] long texts over a slow link", () => {
  test("are compressed in both directions, and numbers are not", async () => {
    const { link, hands } = await startLinked({ ...links.b, upMbitPerS: 20 });
    const inputs = Array.from({ length: 12 }, (_, index) =>
      Array.from({ length: 25_000 }, (_, at) => `particle ${index} at ${at}`),
    );
    const bytes = 12 * 25_000 * 20;
    const before = await link.counts();
    expect(await hands.map((lines: string[]) => lines.toReversed(), inputs)).toEqual(
      inputs.map((lines) => lines.toReversed()),
    );
    const after = await link.counts();
    expect(after.down - before.down).toBeLessThan(0.6 * bytes);
    expect(after.up - before.up).toBeLessThan(0.6 * bytes);
    const numbers = Array.from({ length: 4 }, () =>
      Float64Array.from({ length: 50_000 }, () => Math.random()),
    );
    expect(await hands.map((given: Float64Array) => given, numbers)).toEqual(numbers);
    expect((await link.counts()).down - after.down).toBeGreaterThan(4 * 400_000);
  });
});

describe("[MILES-2] results that wait in the socket", () => {
  test("are not sent twice", async () => {
    const { link, hands } = await startLinked({ ...links.a, upMbitPerS: 0.8 });
    const before = await link.counts();
    const count = 20;
    const outputs = await hands.map(
      (x: number) => new Uint8Array(200_000).fill(x),
      Array.from({ length: count }, (_, index) => index),
    );
    expect(outputs.map(({ length }) => length)).toEqual(Array.from({ length: count }, () => size));
    const after = await link.counts();
    expect(after.up - before.up).toBeLessThan(1.1 * count * size);
    expect(after.connections).toBe(before.connections);
  });
});

/** Computes tasks that each occupy a slot for so many ms, and not the machine. @returns when each began, in order */
function busy(
  hands: Hands,
  count: number,
  ms: number,
  onProgress?: (progress: Progress) => void,
): Promise<number[]> {
  const kernel = async (duration: number): Promise<number> => {
    const began = Date.now();
    await new Promise((resolve) => setTimeout(resolve, duration));
    return began;
  };
  const durations = Array.from({ length: count }, () => ms);
  return hands
    .map(kernel, durations, { math: "native", onProgress })
    .then((starts) => starts.toSorted((a, b) => a - b));
}

describe("[MILES-3] a change of address", () => {
  test("is noticed by a late heartbeat, without anything to answer", async () => {
    const { link, hands } = await startLinked(links.a);
    link.move();
    await link.counts();
    const began = performance.now();
    await busy(hands, 2, 1);
    // Without the heartbeat, silence is taken for the server's death after 14 s.
    expect(performance.now() - began).toBeLessThan(13_000);
  });

  test("is noticed by results without an answer", async () => {
    const { link, hands } = await startLinked(links.a);
    let delivered = 0;
    const all = busy(hands, 400, 50, ({ done }) => (delivered = done));
    await until(() => delivered >= 100);
    link.move();
    await link.counts();
    const [movedAt, before] = [performance.now(), delivered];
    // More results than were under way.
    await until(() => delivered > before + 50);
    expect(performance.now() - movedAt).toBeLessThan(10_000);
    await all;
  });
});

describe("[MILES-4] a link that stands still", () => {
  test("costs the time of the first interruption alone", async () => {
    const { link, hands } = await startLinked(links.a);
    const all = busy(hands, 360, 100);
    link.set({ stallEveryMs: 6000, stallMs: 4000 });
    const starts = await all;
    const pauses = starts.slice(1).map((at, before) => at - starts[before]!);
    // The first interruption finds a queue of a second, and later ones a longer queue than they last.
    expect(starts.at(-1)! - starts[0]!).toBeGreaterThan(15_000);
    expect(pauses.filter((ms) => ms > 1500).length).toBeLessThanOrEqual(1);
  });
});
