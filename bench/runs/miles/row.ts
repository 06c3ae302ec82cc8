/**
 * Measures a row of the table of links: `node bench/runs/miles/row.ts --row inputs --link b [--count 300] [--bytes 200000]`.
 * The value is measured / ideal time where the row has an ideal, else the measurement in the row's unit.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { labHost } from "../../../scripts/lab-host.ts";
import { launchBrowser } from "../../../scripts/launch-browser.ts";
import type { DataReference } from "../../../customer/index.ts";
import type { Hands } from "../../../customer/hands.ts";
import { Link, links, type LinkShape } from "../../../test/support/link/link.ts";
import { makeBlobs } from "../support/blobs.ts";
import { connectTo, startNodeClient, startServer } from "../support/platform.ts";
import { report, rounded } from "../support/report.ts";

const { values } = parseArgs({
  options: {
    row: { type: "string", default: "inputs" },
    link: { type: "string", default: "a" },
    count: { type: "string" },
    bytes: { type: "string" },
    visit: { type: "string", default: "cold" },
    math: { type: "string", default: "native" },
  },
});

const shapes: Readonly<Record<string, LinkShape>> = {
  ...links,
  slow: { rttMs: 300, downMbitPerS: 0.5, upMbitPerS: 0.5, loss: 0 },
};
const shape = shapes[values.link];
if (!shape) throw new Error(`There is no link ${values.link}; there are: ${Object.keys(shapes).join(", ")}.`);
const slots = 2;
const count = (usual: number): number => Number(values.count ?? usual);
const bytes = (usual: number): number => Number(values.bytes ?? usual);

const server = await startServer({ flags: ["--allow-host", labHost] });
const link = await Link.start(server.url, shape);

/** A client behind the link, with its sandboxes warm, and a customer beside the server. */
async function joined(): Promise<Hands> {
  startClient(link.url);
  const hands = await connectTo(server);
  await hands.map((x: number) => x, [1, 2, 3, 4]);
  return hands;
}

function startClient(url: string): void {
  startNodeClient({ url, token: server.token }, { flags: ["--slots", `${slots}`] });
}

async function secondsOf(action: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await action();
  return (performance.now() - began) / 1000;
}

/** Seconds that so many bytes take at a rate. */
function travel(total: number, mbitPerS: number): number {
  return (total * 8) / 1e6 / mbitPerS;
}

interface Work {
  readonly ms: number;
  readonly outputBytes?: number;
  readonly data?: DataReference;
}

/** A kernel that occupies its slot, and not the machine, after it has read its data. */
async function kernel(
  { ms, outputBytes, data }: Work,
  ctx: { readonly index: number; data(reference: DataReference): Promise<Uint8Array> },
): Promise<Uint8Array> {
  if (data) await ctx.data(data);
  await new Promise((resolve) => setTimeout(resolve, ms));
  const output = new Uint8Array(outputBytes ?? 1);
  // Bytes of each task's own that nothing compresses.
  let x = ctx.index;
  for (let i = 0; i < output.length; i++) {
    x = Math.imul(x, 1664525) + 1013904223;
    output[i] = x >>> 24;
  }
  return output;
}

function run(hands: Hands, work: readonly Work[]): Promise<unknown> {
  return hands.map(kernel, work, { math: "native" }).then((outputs) => outputs);
}

function same<T>(length: number, item: T): T[] {
  return Array.from({ length }, () => item);
}

async function put(hands: Hands, blobs: number, size: number): Promise<DataReference[]> {
  const references: DataReference[] = [];
  for (const blob of makeBlobs({ mib: (blobs * size) / 1024 ** 2, blobs }))
    references.push(await hands.put(blob));
  return references;
}

/** Records of particles as programs write them, about so many bytes of JSON an input. */
function makeTexts(inputs: number, size: number): unknown[] {
  let x = 1;
  const upTo = (most: number, digits: number): number => {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    return rounded((x / 2 ** 32) * most, digits);
  };
  const record = (id: number): unknown => ({
    id,
    name: `particle ${id}`,
    x: upTo(4096, 2),
    y: upTo(4096, 2),
    psi: upTo(360, 3),
    defocus: upTo(30_000, 0),
  });
  const records = Math.round(size / JSON.stringify(record(100)).length);
  return Array.from({ length: inputs }, (_, index) =>
    Array.from({ length: records }, (_, at) => record(index * records + at)),
  );
}

/** Share of the slots' time that kernels of so many ms used, in percent. */
async function percentBusy(hands: Hands, work: readonly Work[]): Promise<number> {
  const seconds = await secondsOf(() => run(hands, work));
  const workSeconds = work.reduce((sum, { ms }) => sum + ms, 0) / 1000 / slots;
  return rounded((100 * workSeconds) / seconds, 1);
}

const rows: Readonly<Record<string, () => Promise<never>>> = {
  async inputs() {
    const hands = await joined();
    const [tasks, size] = [count(300), bytes(200_000)];
    // Bytes that nothing compresses.
    const inputs = Array.from({ length: tasks }, () => new Uint8Array(randomBytes(size)));
    const before = await link.counts();
    const measure = (input: Uint8Array): number => {
      const until = Date.now() + 10;
      while (Date.now() < until);
      return input.length;
    };
    const seconds = await secondsOf(() =>
      hands.map(measure, inputs, { math: "native" }).then((outputs) => outputs),
    );
    const after = await link.counts();
    report(rounded(seconds / travel(tasks * size, shape.downMbitPerS), 3), {
      seconds: rounded(seconds, 1),
      times: rounded((after.down - before.down) / (tasks * size), 3),
      newConnections: after.connections - before.connections,
    });
  },
  async texts() {
    const hands = await joined();
    const inputs = makeTexts(count(300), bytes(200_000));
    const total = inputs.reduce((sum, text) => sum + JSON.stringify(text).length, 0);
    const before = await link.counts();
    const echo = (records: unknown): unknown => records;
    const seconds = await secondsOf(() =>
      hands.map(echo, inputs, { math: "native" }).then((outputs) => outputs),
    );
    const after = await link.counts();
    // Inputs and outputs travel at the same time.
    const ideal = travel(total, Math.min(shape.downMbitPerS, shape.upMbitPerS));
    report(rounded(seconds / ideal, 3), {
      seconds: rounded(seconds, 1),
      timesDown: rounded((after.down - before.down) / total, 3),
      timesUp: rounded((after.up - before.up) / total, 3),
    });
  },
  /** A customer behind the link, and a client beside the server. */
  async "customer-texts"() {
    startClient(server.url);
    const hands = await connectTo({ url: link.url, token: server.token });
    const inputs = makeTexts(count(60), bytes(200_000));
    const total = inputs.reduce((sum: number, text) => sum + JSON.stringify(text).length, 0);
    const before = await link.counts();
    const echo = (records: unknown): unknown => records;
    const seconds = await secondsOf(() =>
      hands.map(echo, inputs, { math: "native" }).then((outputs) => outputs),
    );
    const after = await link.counts();
    report(rounded(seconds / travel(total, shape.upMbitPerS), 3), {
      seconds: rounded(seconds, 1),
      timesDown: rounded((after.down - before.down) / total, 3),
      timesUp: rounded((after.up - before.up) / total, 3),
    });
  },
  /** The same, each text when the result of the one before is known. */
  async "customer-text-by-text"() {
    startClient(server.url);
    const hands = await connectTo({ url: link.url, token: server.token });
    const inputs = makeTexts(count(40), bytes(150_000));
    const total = inputs.reduce((sum: number, text) => sum + JSON.stringify(text).length, 0);
    const before = await link.counts();
    const length = (records: unknown): unknown => (records as unknown[]).length;
    let known = Promise.withResolvers<void>();
    async function* oneByOne(): AsyncGenerator<unknown> {
      for (const input of inputs) {
        yield input;
        await known.promise;
        known = Promise.withResolvers();
      }
    }
    const seconds = await secondsOf(async () => {
      for await (const outcome of hands.map(length, oneByOne(), { math: "native" })) {
        if (outcome.error) throw outcome.error;
        known.resolve();
      }
    });
    const after = await link.counts();
    report(rounded(seconds / travel(total, shape.upMbitPerS), 3), {
      seconds: rounded(seconds, 1),
      timesUp: rounded((after.up - before.up) / total, 3),
    });
  },
  async outputs() {
    const hands = await joined();
    const [tasks, size] = [count(400), bytes(270_000)];
    const before = await link.counts();
    const seconds = await secondsOf(() => run(hands, same(tasks, { ms: 10, outputBytes: size })));
    const sent = (await link.counts()).up - before.up;
    report(rounded(seconds / travel(tasks * size, shape.upMbitPerS), 3), {
      seconds: rounded(seconds, 1),
      times: rounded(sent / (tasks * size), 3),
    });
  },
  async results() {
    const hands = await joined();
    const [tasks, size] = [count(60), bytes(200_000)];
    const before = await link.counts();
    const seconds = await secondsOf(() => run(hands, same(tasks, { ms: 10, outputBytes: size })));
    report(rounded(((await link.counts()).up - before.up) / (tasks * size), 3), {
      seconds: rounded(seconds, 1),
    });
  },
  async blob() {
    const hands = await joined();
    const size = bytes(20 * 1024 ** 2);
    const [data] = await put(hands, 1, size);
    const before = await link.counts();
    link.set({ resetEveryMs: 20_000 });
    const seconds = await secondsOf(() => run(hands, [{ ms: 1, data: data! }]));
    report(rounded(seconds / travel(size, shape.downMbitPerS), 3), {
      seconds: rounded(seconds, 1),
      times: rounded(((await link.counts()).down - before.down) / size, 3),
    });
  },
  async put() {
    const hands = await connectTo({ url: link.url, token: server.token });
    const size = bytes(100 * 1024 ** 2);
    let isCut = false;
    const watch = setInterval(() => {
      void link.counts().then(({ up }) => {
        if (isCut || up < 0.56 * size) return;
        isCut = true;
        link.reset();
      });
    }, 50);
    const seconds = await secondsOf(() => put(hands, 1, size));
    clearInterval(watch);
    report(rounded((await link.counts()).up / size, 3), { seconds: rounded(seconds, 1) });
  },
  async moved() {
    const hands = await joined();
    link.move();
    report(rounded(await secondsOf(() => run(hands, [{ ms: 1 }])), 1));
  },
  async "moved-busy"() {
    const hands = await joined();
    const ideal = (400 * 50) / 1000 / slots;
    const done = secondsOf(() => run(hands, same(400, { ms: 50 })));
    await wait(4000);
    link.move();
    report(rounded((await done) - ideal, 1));
  },
  async "customer-moved"() {
    startClient(server.url);
    const hands = await connectTo({ url: link.url, token: server.token });
    await run(hands, same(4, { ms: 1 }));
    const job = secondsOf(() => run(hands, same(40, { ms: 100 })));
    await wait(1000);
    link.move();
    report(rounded((await job) - 2, 1));
  },
  async stalls() {
    const hands = await joined();
    link.set({ stallEveryMs: 30_000, stallMs: 10_000 });
    report(await percentBusy(hands, same(count(2400), { ms: 100 })));
  },
  async silent() {
    startClient(link.url);
    const hands = await connectTo(server);
    await run(hands, same(400, { ms: 10 }));
    const done = secondsOf(() => run(hands, same(3000, { ms: 10 })));
    await wait(500);
    // The client behind the link falls silent for good, and a client beside the server does the rest.
    link.stall(3_600_000);
    startClient(server.url);
    report(rounded(await done, 1));
  },
  async data() {
    const hands = await joined();
    const blobs = await put(hands, count(60), bytes(1024 ** 2));
    report(
      await percentBusy(
        hands,
        blobs.map((data) => ({ ms: 1000, data })),
      ),
    );
  },
  async ranges() {
    const hands = await joined();
    const [tasks, size] = [count(200), bytes(64 * 1024)];
    const [data] = await put(hands, 1, 4 * tasks * size);
    const work = Array.from({ length: tasks }, (_, index): Work => {
      // A stride that visits every fourth part of the blob in no order.
      const at = ((index * 7) % tasks) * 4 * size;
      return { ms: 200, data: data!.slice(at, at + size) };
    });
    const before = await link.counts();
    const busy = await percentBusy(hands, work);
    report(busy, { times: rounded(((await link.counts()).down - before.down) / (tasks * size), 2) });
  },
  /** Seconds from the navigation of a page on plain HTTP to the call of its first kernel, by the clocks of this machine. */
  async page() {
    const hands = await connectTo(server);
    const browser = await launchBrowser();
    const visit = async (math: "native" | "portable"): Promise<number> => {
      const job = hands.map(() => 0, [0], { math, verify: "off" });
      const called = new Promise<number>((resolve) => {
        void job.then(() => resolve(Date.now()));
      });
      while ((await hands.status()).tasks.queued < 1) await wait(20);
      const page = await browser.newPage();
      const began = Date.now();
      await page.goto(`http://${labHost}:${new URL(link.url).port}/?auto=1`);
      // The result takes half a round trip back to the server.
      const ms = (await called) - began - shape.rttMs / 2;
      await page.close();
      while ((await hands.status()).clients.connected > 0) await wait(20);
      return ms / 1000;
    };
    const math = values.math === "portable" ? "portable" : "native";
    if (values.visit === "again") await visit(math);
    const before = await link.counts();
    const seconds = await visit(math);
    const { connections, down } = await link.counts();
    report(rounded(seconds, 2), {
      roundTrips: rounded((seconds * 1000) / shape.rttMs, 1),
      connections: connections - before.connections,
      bytes: down - before.down,
    });
  },
  async "long-inputs"() {
    const hands = await joined();
    const size = bytes(8 * 1024 ** 2);
    const blobs = await put(hands, count(2 * slots), size);
    const seconds = await secondsOf(() =>
      run(
        hands,
        blobs.map((data) => ({ ms: 62_000, data })),
      ),
    );
    const ideal = 62 * (blobs.length / slots) + travel(slots * size, shape.downMbitPerS);
    report(rounded(seconds / ideal, 3), { seconds: rounded(seconds, 1) });
  },
  async "long-outputs"() {
    const hands = await joined();
    const [tasks, size] = [count(2 * slots), bytes(4 * 1024 ** 2)];
    const seconds = await secondsOf(() => run(hands, same(tasks, { ms: 62_000, outputBytes: size })));
    // The last outputs leave after their tasks, and behind all others.
    const ideal = Math.max(
      62 * (tasks / slots) + travel(slots * size, shape.upMbitPerS),
      62 + travel(tasks * size, shape.upMbitPerS),
    );
    report(rounded(seconds / ideal, 3), { seconds: rounded(seconds, 1) });
  },
};

const row = rows[values.row];
if (!row) throw new Error(`There is no row ${values.row}; there are: ${Object.keys(rows).join(", ")}.`);
await row();
