import { describe, expect, test } from "vitest";
import { sha256Hex } from "../../shared/hash.ts";
import type { ClientId, JobId } from "../../shared/ids.ts";
import { indexesOf, leasesIn, ofType, SchedulerHarness } from "../support/scheduler-harness.ts";

const name = { sha256: sha256Hex(new Uint8Array([7])), size: 1 };
const missing = (h: SchedulerHarness, isMissing: boolean, sha256 = name.sha256) =>
  h.feed({ type: "dataChanged", sha256, isMissing });
const failForData = (h: SchedulerHarness, client: ClientId, job: JobId, index: number, attempt: number) =>
  h.feed({
    type: "resultsReceived",
    client,
    job,
    results: [
      {
        index,
        attempt,
        elapsedMs: 1,
        outcome: { state: "failed", failure: { kind: "data", message: "gone" } },
      },
    ],
  });

describe("[ROT-6] tasks whose data is damaged on the server", () => {
  test("wait, however many are in front of the others, and go on when it was put again", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    missing(h, true);
    h.claim(
      job,
      Array.from({ length: 40 }, (_, index) => index),
      { refs: [name] },
    );
    h.claim(job, [40, 41]);
    h.join(50);
    expect(indexesOf(h)).toEqual([40, 41]);
    missing(h, false);
    expect(indexesOf(h).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, index) => index));
  });

  test("count no attempt at which a client could not have it", () => {
    const h = new SchedulerHarness();
    const job = h.addJob({ maxAttempts: 1 });
    const client = h.join(1);
    h.claim(job, [0], { refs: [name] });
    expect(leasesIn(h.last)).toMatchObject([{ index: 0, attempt: 1 }]);
    missing(h, true);
    failForData(h, client, job, 0, 1);
    expect(h.last).toEqual([{ type: "sendAccepted", client, job, indexes: [0] }]);
    h.pass(60_000);
    h.want(client, 1);
    expect(leasesIn(h.last)).toEqual([]);
    missing(h, false);
    expect(leasesIn(h.last)).toMatchObject([{ index: 0 }]);
  });

  test("wait for their kernel, too, as a job", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const { sha256 } = h.scheduler.state.jobs.get(job)!.info.descriptor.kernel;
    missing(h, true, sha256);
    h.claim(job, [0, 1]);
    h.join(5);
    expect(indexesOf(h)).toEqual([]);
    missing(h, false, sha256);
    expect(indexesOf(h)).toEqual([0, 1]);
  });
});

test("[ROT-2] a task whose stored input is damaged ends as failed, and is claimed again when the store refuses that", () => {
  const h = new SchedulerHarness();
  const job = h.addJob();
  h.join(5);
  h.claim(job, [3], { isDamaged: true });
  expect(leasesIn(h.last)).toEqual([]);
  expect(ofType(h.last, "storeOutcomes")).toMatchObject([
    { job, outcomes: [{ state: "failed", index: 3, failure: { kind: "data", attempts: 0 } }] },
  ]);
  h.feed({ type: "outcomesRefused", job, indexes: [3] });
  expect(ofType(h.last, "unclaimTasks")).toMatchObject([{ job, indexes: [3] }]);
  expect(ofType(h.last, "claimTasks")).toHaveLength(1);
});
