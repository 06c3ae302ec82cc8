/**
 * A process that writes to a store until it is killed: `node writer.ts DIRECTORY`. It prints a line for each stored thing that
 * the store confirmed, at once and unbuffered.
 */
import { writeSync } from "node:fs";
import { openSqliteStore } from "../../server/store/sqlite/open.ts";
import { done, jobId, newJob, postKernel, tasks } from "../contract/store-fixtures.ts";

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

/** Works off open tasks, a few at a time. */
async function completeAll(): Promise<never> {
  for (;;) {
    const indexes = (await store.claim(id, 7)).map(({ index }) => index);
    const { accepted } = await store.complete(id, indexes.map(done));
    if (accepted.length > 0) say(`accepted ${accepted.join(" ")}`);
  }
}

await Promise.all([submitAll(), completeAll()]);
