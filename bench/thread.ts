/**
 * `thread:N` beside piscina: start-up, and wall time of tasks of 1, 10 and 100 ms.
 *
 *     npm install --prefix /tmp/peers piscina
 *     node bench/thread.ts /tmp/peers/node_modules/piscina/dist/main.js
 *
 * Measured on two cores while other programs kept both busy (load 3), Node 26, 2 threads, medians of 3: tasks of 1 ms 28 %
 * (piscina 44 %), of 10 ms 63 % (66 %), that is 96 % of piscina's. Start-up there: connect 0.36-0.57 s, first map 0.19-0.43 s,
 * of which loading the engine's modules takes 0.25 s (84 ms express alone; bundled into one file it was 0.11 s).
 */
import { mkdtemp, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "../parallel/index.ts";

interface Peer {
  run(task: { ms: number }): Promise<unknown>;
  destroy(): Promise<void>;
}

const threads = availableParallelism();
const totalMs = 2000;

const burn = ({ ms }: { ms: number }): number => {
  const end = performance.now() + ms;
  while (performance.now() < end);
  return ms;
};

const started = performance.now();
await using hands = await connect(`thread:${threads}`);
const connected = performance.now();
await hands.map(burn, [{ ms: 0 }]);
const mapped = performance.now();
console.log(`start-up: connect ${whole(connected - started)} ms, first map ${whole(mapped - connected)} ms`);

const file = process.argv[2];
const peer = file === undefined ? undefined : await openPeer(file);
for (const ms of [1, 10, 100]) {
  const tasks = Array.from({ length: Math.round((totalMs / ms) * threads) }, () => ({ ms }));
  const ideal = (tasks.length * ms) / threads;
  // Alternating, so that what else the machine does meets both.
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < 3; round++) {
    ours.push(await timed(async () => hands.map(burn, tasks)));
    if (peer) theirs.push(await timed(() => Promise.all(tasks.map((task) => peer.run(task)))));
  }
  const line = `${ms} ms × ${tasks.length}: efficiency ${percent(ideal / median(ours))}`;
  console.log(peer ? `${line}, piscina ${percent(ideal / median(theirs))}` : line);
}
await peer?.destroy();

async function openPeer(file: string): Promise<Peer> {
  const { default: Piscina } = (await import(file)) as { default: new (options: object) => Peer };
  const filename = join(await mkdtemp(join(tmpdir(), "bench-")), "burn.mjs");
  await writeFile(filename, `export default ${burn.toString()}`);
  const pool = new Piscina({ filename, minThreads: threads, maxThreads: threads });
  await pool.run({ ms: 0 });
  return pool;
}

async function timed(work: () => PromiseLike<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function whole(value: number): string {
  return value.toFixed(0);
}

function percent(value: number): string {
  return `${(value * 100).toFixed(1)} %`;
}
