import { expect, test } from "vitest";
import { JobWatch } from "../../server/dispatch/job-watch.ts";
import { News } from "../../server/dispatch/news.ts";
import type { JobRow, NewJob } from "../../server/store/store.ts";
import type { JobId } from "../../shared/ids.ts";
import { newJob } from "../contract/store-fixtures.ts";

/** The number in letters a and b. */
function jobId(number: number): JobId {
  const digits = number.toString(2).padStart(16, "0");
  return `j_${digits.replaceAll("0", "a").replaceAll("1", "b")}` as JobId;
}

function row(number: number, state: JobRow["state"]): JobRow {
  const counts = {
    total: 1,
    done: 0,
    failed: 0,
    lastSeq: 0,
    inputBytes: 0,
    outputBytes: 0,
    paused: false,
    provisional: 0,
    statement: {
      strangers: 0,
      audited: 0,
      unverified: 0,
      checked: 0,
      wrong: 0,
      withdrawn: 0,
      irreproducible: false,
    },
    waitingFor: [],
  };
  const job: NewJob = newJob({ id: jobId(number) });
  return { ...job, ...counts, state, endedAt: undefined, submittedAt: 0, reason: undefined };
}

test("ended jobs are forgotten, the one that ended longest ago first; those at work never", () => {
  const watch = new JobWatch(new News());
  watch.update(row(1, "open"));
  watch.update(row(2, "finished"));
  // The job's tasks were requeued: it runs again.
  watch.update(row(2, "closed"));
  for (let number = 3; number < 1000; number++) watch.update(row(number, "finished"));
  expect(watch.size).toBe(202);
  expect([1, 2, 3, 999].map((number) => watch.row(jobId(number))?.state)).toEqual([
    "open",
    "closed",
    undefined,
    "finished",
  ]);
});

test("whoever waits for a job that is forgotten is woken, and looks again", async () => {
  const watch = new JobWatch(new News());
  watch.update(row(1, "finished"));
  const woken = watch.changed(jobId(1), new AbortController().signal, 60_000);
  for (let number = 2; number < 300; number++) watch.update(row(number, "cancelled"));
  await woken;
  expect(watch.row(jobId(1))).toBeUndefined();
});
