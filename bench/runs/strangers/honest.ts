/**
 * Tasks per second of an honest volunteer of four slots, alone or beside sockets of another address that ask for everything and deliver
 * nothing: `node bench/runs/strangers/honest.ts [--beside hoarders] [--first] [--tasks 2000] [--task-ms 20] [--hoarders 1024]`.
 * With `--first` the hoarders are there before the volunteer, and all of the job counts; otherwise they join while it computes, and the
 * tasks behind that count that it computes until half of the job is done.
 */
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { connectTo, startServer } from "../support/platform.ts";
import { connectClient, type BareClient, type Lease } from "../support/bare-client.ts";
import { report, rounded } from "../support/report.ts";

const { values } = parseArgs({
  options: {
    beside: { type: "string" },
    first: { type: "boolean", default: false },
    tasks: { type: "string", default: "4000" },
    "task-ms": { type: "string", default: "20" },
    hoarders: { type: "string", default: "1024" },
  },
});
const count = Number(values.tasks);
const taskMs = Number(values["task-ms"]);
const slots = 4;

const server = await startServer();
const hands = await connectTo(server);
const job = hands.map(
  (x: number) => x,
  Array.from({ length: count }, (_, index) => index),
  { verify: "off" },
);
job.then(undefined, () => undefined);
while ((await hands.status()).tasks.queued < count) await wait(50);

if (values.first) await hoard();
const started = performance.now();
const honest = volunteer();
if (values.first) await honest.done(count);
else {
  await honest.done(100);
  await hoard();
}
const before = values.first ? { at: started, done: 0 } : { at: performance.now(), done: honest.count };
if (!values.first) await honest.done(Math.floor(count / 2));
const seconds = (performance.now() - before.at) / 1000;
report(rounded((honest.count - before.done) / seconds, 1), { seconds: rounded(seconds, 2) });

/** Connects the hoarders, and waits until they had time to take their leases. */
async function hoard(): Promise<void> {
  if (values.beside !== "hoarders") return;
  const joined = Array.from({ length: Number(values.hoarders) }, () => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const client = connectClient(
      server.url,
      { localAddress: "127.9.9.9" },
      {
        received(message) {
          if (message.type !== "welcome") return;
          client.send({ type: "want", tasks: 16_384, slots: 1024 });
          resolve();
        },
        lost: (why) => reject(new Error(`a hoarder was cut off: ${why}`)),
      },
    );
    return promise;
  });
  await Promise.all(joined);
  await wait(500);
}

/** A volunteer whose every task takes the same time. */
function volunteer(): { readonly count: number; done(tasks: number): Promise<void> } {
  const queue: { lease: Lease; at: number }[] = [];
  const waiting: { tasks: number; resolve: () => void }[] = [];
  let done = 0;
  let busy = 0;
  const client: BareClient = connectClient(
    server.url,
    {},
    {
      received(message) {
        if (message.type === "welcome") client.send({ type: "want", tasks: 4 * slots, slots });
        if (message.type !== "lease") return;
        for (let at = 0; at < message.tasks.length; at++) queue.push({ lease: message, at });
        work();
      },
      lost: (why) => {
        throw new Error(`the volunteer was cut off: ${why}`);
      },
    },
  );
  function work(): void {
    for (
      let next = busy < slots ? queue.shift() : undefined;
      next;
      next = busy < slots ? queue.shift() : undefined
    ) {
      busy += 1;
      const { lease, at } = next;
      const { index, attempt, input } = lease.tasks[at]!;
      setTimeout(() => {
        busy -= 1;
        done += 1;
        const outcome = { state: "done" as const, output: input };
        client.send({
          type: "results",
          job: lease.job.id,
          results: [{ index, attempt, elapsedMs: taskMs, outcome }],
        });
        for (const { tasks, resolve } of waiting) if (done >= tasks) resolve();
        work();
      }, taskMs);
    }
  }
  return {
    get count() {
      return done;
    },
    done: (tasks) => new Promise((resolve) => waiting.push({ tasks, resolve })),
  };
}
