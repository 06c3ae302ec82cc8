/**
 * Bytes that leave the server for each byte that kernels ask for, when a task reads 20 images of a large stack through `ctx.data`:
 * `node bench/runs/data/ranges.ts [--order adjacent|scattered] [--mib 1024] [--tasks 64] [--image-kib 256]`.
 */
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { makeBlobs } from "../support/blobs.ts";
import { CountingProxy } from "../support/counting-proxy.ts";
import { connectTo, startNodeClient, startServer } from "../support/platform.ts";
import { memoryOf } from "../support/process-stat.ts";
import { report, rounded } from "../support/report.ts";

const { values } = parseArgs({
  options: {
    order: { type: "string", default: "adjacent" },
    mib: { type: "string", default: "1024" },
    tasks: { type: "string", default: "32" },
    "image-kib": { type: "string", default: "256" },
  },
});
const imagesPerTask = 20;
/** Of an MRC file. */
const headerBytes = 1024;
const imageBytes = Number(values["image-kib"]) * 1024;

const server = await startServer();
const hands = await connectTo(server);
const [stack] = makeBlobs({ mib: Number(values.mib), blobs: 1 });
const reference = await hands.put(stack!);
const { proxy, port } = await CountingProxy.open(server.url);
const address = { url: `http://127.0.0.1:${port}`, token: server.token };
const client = startNodeClient(address, { flags: ["--slots", "2"] });
while ((await hands.clients()).length === 0) await wait(50);

const images = Math.floor((reference.size - headerBytes) / imageBytes);
const tasks = Number(values.tasks);
if (tasks * imagesPerTask > images) throw new Error(`${images} images are too few for ${tasks} tasks`);
/** The images spread over the stack: each step is prime to their number, or the next image. */
const step = values.order === "scattered" ? spreadingStep(images) : 1;
const inputs = Array.from({ length: tasks }, (_, task) =>
  Array.from({ length: imagesPerTask }, (_image, at) => {
    const start = headerBytes + (((task * imagesPerTask + at) * step) % images) * imageBytes;
    return reference.slice(start, start + imageBytes);
  }),
);
const before = proxy.before(Infinity);
const started = performance.now();
const sums = await hands.map(async (refs: (typeof reference)[], ctx) => {
  const read = await Promise.all(refs.map((ref) => ctx.data(ref)));
  return read.reduce((sum, { length }) => sum + length, 0);
}, inputs);
const ms = performance.now() - started;
if (sums.some((sum) => sum !== imagesPerTask * imageBytes))
  throw new Error("not the images that were asked for");
const asked = tasks * imagesPerTask * imageBytes;
const { rssMib } = await memoryOf(client.pid);
report(rounded((proxy.before(Infinity) - before) / asked, 3), {
  mibPerSecond: rounded(asked / 1024 ** 2 / (ms / 1000), 1),
  clientRssMib: Math.round(rssMib),
});

/** An odd step near the golden section of the number of images that shares no factor with it. */
function spreadingStep(count: number): number {
  const shares = (a: number, b: number): number => (b === 0 ? a : shares(b, a % b));
  for (let candidate = Math.round(count * 0.618); ; candidate++)
    if (shares(count, candidate) === 1) return candidate;
}
