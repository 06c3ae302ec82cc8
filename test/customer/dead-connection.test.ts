import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { connect } from "../../customer/index.ts";
import { useProxiedPlatform } from "./proxied-platform.ts";

const parts = useProxiedPlatform();
const silenceMs = 300;
/** A wait for a lost reply would take at least this long. */
const tooLongMs = 10_000;

async function connectThroughProxy(ms = silenceMs) {
  return parts.platform.connect({ url: parts.proxy.url, silenceMs: ms, log: () => undefined });
}

/** Runs `action` while the network drops all bytes, and opens the network again when `isUnderWay`. */
async function acrossOutage<T>(action: () => Promise<T>, isUnderWay: () => boolean): Promise<T> {
  parts.proxy.swallow();
  const done = action();
  await expect.poll(isUnderWay).toBe(true);
  parts.proxy.heal();
  const healed = performance.now();
  const result = await done;
  expect(performance.now() - healed).toBeLessThan(tooLongMs);
  return result;
}

it("[WAIT-2] a request whose reply vanishes is made again soon, on a connection that is not dead", async () => {
  const hands = await connectThroughProxy();
  await Promise.all([hands.status(), hands.status(), hands.status()]);
  // The connections kept for later requests are dead now.
  const { connections } = parts.proxy;
  const status = await acrossOutage(
    () => hands.status(),
    () => parts.proxy.connections >= connections,
  );
  expect(status.version).toMatch(/^\d/);
});

it("[WAIT-2] a blob that is put is sent again when its connection dies", async () => {
  const hands = await connectThroughProxy();
  const bytes = new Uint8Array(3_000_000).map((_, index) => index * 13);
  const { connections } = parts.proxy;
  const reference = await acrossOutage(
    () => hands.put(bytes),
    () => parts.proxy.connections > connections,
  );
  expect(await hands.get(reference)).toEqual(bytes);
});

it("[WAIT-2] inputs and results go on where they stopped", async () => {
  const hands = await connectThroughProxy();
  const goOn = Promise.withResolvers<void>();
  const job = hands.map(
    (x: number) => x + 1,
    (async function* () {
      for (let input = 0; input < 40; input++) {
        if (input === 20) await goOn.promise;
        yield input;
      }
    })(),
  );
  const seen: number[] = [];
  let healed: number | undefined;
  for await (const { seq } of job) {
    seen.push(seq);
    if (seen.length !== 10) continue;
    parts.proxy.swallow();
    const { connections } = parts.proxy;
    goOn.resolve();
    await expect.poll(() => parts.proxy.connections).toBeGreaterThan(connections);
    parts.proxy.heal();
    healed = performance.now();
  }
  expect(performance.now() - (healed ?? 0)).toBeLessThan(tooLongMs);
  expect(seen).toEqual(Array.from({ length: 40 }, (_, at) => at + 1));
});

it("[WAIT-2] a host that takes connections and says nothing is told of when patience is over", async () => {
  const mute = createServer().listen(0, "127.0.0.1");
  await once(mute, "listening");
  onTestFinished(() => void mute.close());
  const { port } = mute.address() as AddressInfo;
  const began = performance.now();
  await expect(connect(`127.0.0.1:${port}`, { connectMs: 500, log: () => undefined })).rejects.toMatchObject({
    code: "TIMED_OUT",
  });
  expect(performance.now() - began).toBeLessThan(10_000);
});

it("[WAIT-2] a reader who takes longer than a connection may be silent loses nothing", async () => {
  // A busy machine is silent for less.
  const longMs = 2000;
  const hands = await connectThroughProxy(longMs);
  const bytes = new Uint8Array(24_000_000).map((_, index) => index * 7);
  const reference = await hands.put(bytes);
  const { connections } = parts.proxy;
  let [at, paused] = [0, false];
  for await (const chunk of hands.stream(reference)) {
    if (!paused) await new Promise((resolve) => setTimeout(resolve, 2 * longMs));
    paused = true;
    expect(chunk[0]).toBe(bytes[at]);
    at += chunk.length;
  }
  expect(at).toBe(bytes.length);
  expect(parts.proxy.connections - connections).toBeLessThanOrEqual(1);
});
