/** The best time of one worker and the worst of all of them count: other programs make one slower than its share, which would look like more cores. */
const aloneMs = 40;
const aloneTimes = 8;
const togetherMs = 120;
const togetherTimes = 3;
/** A worker that does not start is none that would compute. */
const answerMs = 5_000;

/**
 * Number of workers that really compute at the same time, of as many as a browser claims: the speed of all together in terms of one alone.
 * The measurement takes about a second, and finds fewer on a busy machine.
 */
export async function measureCores(claimed: number): Promise<number> {
  const workers = Array.from(
    { length: claimed },
    () => new Worker(new URL("./spin.ts", import.meta.url), { type: "module" }),
  );
  try {
    const all = async (): Promise<number> => {
      const speeds = await Promise.all(workers.map((worker) => speedOf(worker, togetherMs)));
      return speeds.reduce((sum, speed) => sum + speed, 0);
    };
    // The first calls of a function run unoptimised.
    await all();
    let alone = 0;
    let together = Infinity;
    for (let time = 0; time < aloneTimes; time++)
      alone = Math.max(alone, await speedOf(workers[0]!, aloneMs));
    for (let time = 0; time < togetherTimes; time++) together = Math.min(together, await all());
    return Math.max(1, Math.min(claimed, Math.round(together / alone)));
  } finally {
    for (const worker of workers) worker.terminate();
  }
}

function speedOf(worker: Worker, ms: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("a worker did not answer")), answerMs);
    worker.addEventListener(
      "message",
      ({ data }: MessageEvent<number>) => {
        clearTimeout(late);
        resolve(data);
      },
      { once: true },
    );
    worker.postMessage(ms);
  });
}
