/**
 * A process that writes to a store until it is killed: `node writer.ts DIRECTORY`. It prints a line for each stored record that
 * the store confirmed, at once and unbuffered.
 */
import { writeSync } from "node:fs";
import type { ClientId } from "../../shared/ids.ts";
import { openSqliteStore } from "../../server/store/sqlite/open.ts";
import { done, jobId, newJob, output, postKernel, tasks } from "../contract/store-fixtures.ts";

const store = await openSqliteStore(process.argv[2]!);
const say = (line: string) => writeSync(1, `${line}\n`);
const id = jobId(1);
await postKernel(store);
const { job } = await store.createJob(newJob({ key: "k" }));
say("open");

/** Submits tasks without end, 20 at a time. */
async function submitAll(): Promise<never> {
  for (let from = job.total; ; from += 20) {
    await store.submit(id, tasks(from, from + 20));
    say(`submitted ${from} ${from + 20}`);
  }
}

/** Keeps results of open tasks in windows, and accepts or withdraws each window with 20 results. */
async function keepAll(): Promise<never> {
  for (let number = Date.now(), size = 0; ;) {
    const indexes = (await store.claim(id, 5)).map(({ index }) => index);
    const window = { number, client: "c_x" as ClientId, cohort: "lab" };
    const { kept } = await store.keepProvisional(id, window, indexes.map(output));
    if (kept.length > 0) say(`kept ${number} ${kept.join(" ")}`);
    size += kept.length;
    if (size < 20) continue;
    const delivered = (await store.listWindows()).find((one) => one.number === number)!.indexes;
    say(`judging ${number}`);
    if (number % 3 === 0) await store.withdrawProvisional(id, number);
    else say(`accepted ${(await store.acceptProvisional(id, number, delivered)).accepted.join(" ")}`);
    number++;
    size = 0;
  }
}

/** Works off open tasks, a few at a time. */
async function completeAll(): Promise<never> {
  for (;;) {
    const indexes = (await store.claim(id, 7)).map(({ index }) => index);
    const { accepted } = await store.complete(id, indexes.map(done));
    if (accepted.length > 0) say(`accepted ${accepted.join(" ")}`);
  }
}

await Promise.all([submitAll(), completeAll(), keepAll()]);
