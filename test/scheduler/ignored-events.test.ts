import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { makeClientId, makeJobId } from "../../shared/ids.ts";
import { done, ofType, SchedulerHarness } from "../support/scheduler-harness.ts";
import type { IgnoredEvent, SchedulerEvent } from "../../server/scheduler/events.ts";

const nobody = makeClientId(randomBytes);
const noJob = makeJobId(randomBytes);
const noLease = { job: noJob, index: 7, attempt: 1 };

function listening(): { h: SchedulerHarness; ignored: IgnoredEvent[] } {
  const ignored: IgnoredEvent[] = [];
  return { h: new SchedulerHarness({ believeUntil: 0, onIgnored: (event) => ignored.push(event) }), ignored };
}

test.each<SchedulerEvent>([
  { type: "jobChanged", job: noJob, paused: true },
  { type: "jobEnded", job: noJob },
  { type: "tasksAdded", job: noJob },
  { type: "tasksClaimed", job: noJob, tasks: [], limit: 1 },
  { type: "claimFailed", job: noJob },
  { type: "outcomesStored", job: noJob, accepted: [], dropped: [], done: 0 },
  { type: "outcomesRefused", job: noJob, indexes: [] },
  { type: "clientWanted", client: nobody, tasks: 1, slots: 1 },
  { type: "cacheChanged", client: nobody, added: [], removed: [] },
  { type: "clientVanished", client: nobody },
  { type: "clientLeft", client: nobody },
  { type: "resultsReceived", client: nobody, job: noJob, results: [done(7)] },
  { type: "leasesReleased", client: nobody, leases: [noLease] },
  { type: "progressReceived", client: nobody, lease: noLease, fraction: 0.5 },
  { type: "checkpointReceived", client: nobody, lease: noLease, state: new Uint8Array(1) },
])("an event of an unknown client or job says so: $type", (event) => {
  const { h, ignored } = listening();
  h.feed(event);
  expect(ignored).toHaveLength(1);
  expect(ignored[0]!.story).toMatch(/unknown/);
  expect(ignored[0]!.about).toMatchObject("job" in event ? { job: noJob } : { client: nobody });
});

test("a late failure is told with where its task is now", () => {
  const { h, ignored } = listening();
  const job = h.addJob();
  const [late, other] = [h.join(1), h.join(0)];
  h.claim(job, [0]);
  h.feed({ type: "leasesReleased", client: late, leases: [{ job, index: 0, attempt: 1 }] });
  h.want(late, 0);
  h.want(other, 1);
  expect(ignored).toEqual([]);
  h.fail(late, job, 0, 1);
  expect(ignored).toMatchObject([{ why: "a failure without a lease", about: { client: late, index: 0 } }]);
  expect(ignored[0]!.story).toMatch(/the task is leased \(attempt \d of c_\w+\) after 0 attempts/);
});

test("a lease brought back that is not believed is dropped, and says so", () => {
  const { h, ignored } = listening();
  const job = h.addJob();
  const client = h.join(0);
  h.claim(job, [0]);
  h.feed({ type: "clientVanished", client });
  ignored.length = 0;
  const info = {
    id: client,
    kind: "node",
    memoryMb: 64,
    webgpu: false,
    trusted: true,
    cohort: client,
    slots: 1,
  } as const;
  h.feed({ type: "clientConnected", client: info, held: [{ job, index: 0, attempt: 3 }], cached: [] });
  expect(ofType(h.last, "sendDropped")).toHaveLength(1);
  expect(ignored).toMatchObject([{ why: "a held lease that is dropped", about: { index: 0, attempt: 3 } }]);
  expect(ignored[0]!.story).toContain("the task is queued after 0 attempts");
});

test("events that fit are not told", () => {
  const { h, ignored } = listening();
  const job = h.addJob();
  const client = h.join(2);
  h.claim(job, [0, 1]);
  h.finish(client, job, 0);
  h.fail(client, job, 1, 1);
  h.stored(job, [0]);
  h.feed({ type: "clientLeft", client });
  h.feed({ type: "jobEnded", job });
  expect(ignored).toEqual([]);
});
