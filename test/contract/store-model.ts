import { expect } from "vitest";
import { seededRandom } from "../../shared/random.ts";
import type { ClientId, JobId } from "../../shared/ids.ts";
import type { JobState } from "../../shared/wire/rest/job-state.ts";
import type { ProvisionalResult, Store } from "../../server/store/store.ts";
import { done, failed, inputOf, jobId, newJob, output, task } from "./store-fixtures.ts";

/** The expected state of a job in its plainest form. */
interface ModelJob {
  readonly id: JobId;
  readonly serial: number;
  state: JobState;
  readonly tasks: Set<number>;
  readonly claimed: Set<number>;
  /** In order of seq. */
  outcomes: { seq: number; index: number; state: "done" | "failed" }[];
  /** Indexes of provisional results by the number of their window, without those of tasks that have an outcome. */
  readonly windows: Map<number, Set<number>>;
  /** Whether tasks with provisional results can be claimed. */
  readonly quorum: boolean;
  /** Whether it was open when it was quarantined. */
  wasOpen: boolean;
  lastSeq: number;
}

/** Operations that run side by side and therefore share commits. */
const concurrency = 4;
const maxIndex = 60;

/**
 * Runs seeded operations on a store and on a model, and compares them after each round. In the end every job is worked off, and
 * every submitted task has ended exactly once.
 * @returns the store after the last restart
 */
export async function runRandomOperations(
  store: Store,
  restart: (() => Promise<Store>) | undefined,
  seed: string,
  rounds: number,
): Promise<Store> {
  const random = seededRandom(`store ${seed}`);
  const pick = (count: number) => Math.floor(random() * count);
  const jobs = new Map<JobId, ModelJob>();
  let current = store;

  const anyIndexes = () => Array.from({ length: 1 + pick(8) }, () => pick(maxIndex));
  const someWindow = (job: ModelJob) => 10 * job.serial + pick(4);
  const someJob = () => [...jobs.values()][pick(jobs.size)]!;

  /**
   * Operations. An operation changes the model at once, in the order of the calls to the store, and returns a check of the store's
   * answer.
   */
  const operations: ((job: ModelJob) => Promise<void>)[] = [
    async (job) => {
      const indexes = anyIndexes();
      const fresh = new Set(indexes.filter((index) => !job.tasks.has(index)));
      const asked = current.submit(
        job.id,
        indexes.map((index) => task(index)),
      );
      if (fresh.size > 0 && job.state !== "open") {
        await expect(asked).rejects.toMatchObject({ code: "WRONG_STATE" });
        return;
      }
      for (const index of fresh) job.tasks.add(index);
      const answer = { added: fresh.size, repeated: indexes.length - fresh.size, total: job.tasks.size };
      expect(await asked).toEqual(answer);
    },
    async (job) => {
      const index = pick(maxIndex);
      if (!job.tasks.has(index)) return;
      const asked = current.submit(job.id, [task(200), task(index, { input: inputOf(-1) })]);
      await expect(asked).rejects.toMatchObject({ code: "CONFLICT" });
    },
    async (job) => {
      const indexes = anyIndexes();
      const outcomes = indexes.map((index) => (random() < 0.3 ? failed(index) : done(index)));
      const asked = current.complete(job.id, outcomes);
      const answer = completeInModel(job, outcomes);
      expect(await asked).toMatchObject(answer);
    },
    async (job) => {
      const indexes = anyIndexes().filter((index) => job.claimed.has(index));
      for (const index of indexes) if (job.quorum || !isProvisional(job, index)) job.claimed.delete(index);
      await current.unclaim(job.id, indexes);
    },
    async (job) => {
      const indexes = anyIndexes();
      const number = someWindow(job);
      const name = { number, client: `c_${number}` as ClientId, cohort: "lab" };
      const asked = current.keepProvisional(
        job.id,
        name,
        indexes.map((index) => output(index)),
      );
      const kept = indexes.filter((index) => isActive(job) && isOpen(job, index));
      const window = job.windows.get(number) ?? new Set();
      if (kept.length > 0) job.windows.set(number, window);
      for (const index of kept) {
        window.add(index);
        if (!job.quorum) job.claimed.add(index);
      }
      const dropped = indexes.filter((index) => !kept.includes(index));
      const answer = { kept, dropped, job: { provisional: provisionalIn(job).size } };
      expect(await asked).toMatchObject(answer);
    },
    async (job) => {
      const number = someWindow(job);
      const window = [...(job.windows.get(number) ?? [])];
      const indexes = random() < 0.5 ? window.reverse() : anyIndexes();
      const asked = current.acceptProvisional(job.id, number, indexes);
      const { accepted, dropped } = acceptInModel(job, number, indexes);
      const answer = await asked;
      expect(answer.accepted).toEqual(accepted);
      expect(answer.dropped.toSorted(ascending)).toEqual(dropped.toSorted(ascending));
    },
    async (job) => {
      const number = someWindow(job);
      const indexes = random() < 0.5 ? undefined : anyIndexes();
      const asked = current.withdrawProvisional(job.id, number, indexes);
      const reopened = withdrawInModel(job, number, indexes);
      expect((await asked).reopened.toSorted(ascending)).toEqual(reopened.toSorted(ascending));
    },
  ];
  const rare: ((job: ModelJob) => Promise<void>)[] = [
    async (job) => {
      const asked = current.closeJob(job.id);
      if (job.state === "open") job.state = "closed";
      finishInModel(job);
      expect((await asked).state).toBe(job.state);
    },
    async (job) => {
      const asked = current.endJob(job.id, "quarantined");
      if (isActive(job)) {
        job.wasOpen = job.state === "open";
        job.state = "quarantined";
        job.claimed.clear();
        job.windows.clear();
      }
      expect((await asked).state).toBe(job.state);
    },
    async (job) => {
      await current.deleteJob(job.id);
      jobs.delete(job.id);
    },
  ];

  let made = 0;
  const addJob = async () => {
    const id = jobId(++made);
    const quorum = made % 3 === 0;
    await current.createJob(newJob({ id, verify: quorum ? { quorum: 2 } : "audit" }));
    jobs.set(id, {
      id,
      serial: made,
      quorum,
      windows: new Map(),
      state: "open",
      tasks: new Set(),
      claimed: new Set(),
      outcomes: [],
      lastSeq: 0,
      wasOpen: true,
    });
  };

  for (let round = 0; round < rounds; round++) {
    while (jobs.size < 3) await addJob();
    const dice = random();
    if (dice < 0.02 && restart) {
      current = await restart();
      for (const job of jobs.values()) {
        job.claimed.clear();
        if (!job.quorum) for (const index of provisionalIn(job)) job.claimed.add(index);
      }
    } else if (dice < 0.06) await rare[pick(rare.length)]!(someJob());
    else if (dice < 0.1) await requeue(current, someJob());
    else if (dice < 0.4) await claim(current, someJob(), 1 + pick(6));
    else
      await Promise.all(
        Array.from({ length: 1 + pick(concurrency) }, () => operations[pick(operations.length)]!(someJob())),
      );
    for (const job of jobs.values()) await compare(current, job);
  }
  for (const job of jobs.values()) await workOff(current, job);
  return current;
}

const ascending = (a: number, b: number) => a - b;

/** Claims and expects the lowest open, unclaimed tasks. */
async function claim(store: Store, job: ModelJob, limit: number): Promise<void> {
  const ended = new Set(job.outcomes.map(({ index }) => index));
  const open = [...job.tasks].filter((index) => !ended.has(index) && !job.claimed.has(index));
  const expected = isActive(job) ? open.sort((a, b) => a - b).slice(0, limit) : [];
  const claimed = await store.claim(job.id, limit);
  expect(claimed.map(({ index }) => index)).toEqual(expected);
  for (const { index, input } of claimed) expect(input).toEqual(inputOf(index));
  for (const index of expected) job.claimed.add(index);
}

async function requeue(store: Store, job: ModelJob): Promise<void> {
  const failures = job.outcomes.filter(({ state }) => state === "failed").length;
  const unended = job.state === "quarantined" ? job.tasks.size - job.outcomes.length : 0;
  if (job.state === "quarantined") job.state = job.wasOpen ? "open" : "closed";
  else if (job.state === "finished" && failures > 0) job.state = "closed";
  job.outcomes = job.outcomes.filter(({ state }) => state === "done");
  finishInModel(job);
  expect((await store.requeueFailed(job.id)).requeued).toBe(failures + unended);
}

function completeInModel(job: ModelJob, outcomes: readonly { index: number; state: "done" | "failed" }[]) {
  const accepted: number[] = [];
  const dropped: number[] = [];
  const active = isActive(job);
  for (const { index, state } of outcomes) {
    job.claimed.delete(index);
    const open = active && isOpen(job, index);
    (open ? accepted : dropped).push(index);
    if (!open) continue;
    job.outcomes.push({ seq: ++job.lastSeq, index, state });
    for (const window of job.windows.values()) window.delete(index);
  }
  if (accepted.length > 0) finishInModel(job);
  return { accepted, dropped };
}

function acceptInModel(job: ModelJob, number: number, indexes: readonly number[]) {
  const window = job.windows.get(number) ?? new Set();
  const wanted = new Set(indexes.filter((index) => window.has(index)));
  withdrawInModel(
    job,
    number,
    [...window].filter((index) => !wanted.has(index)),
  );
  const { accepted } = completeInModel(
    job,
    [...wanted].map((index) => ({ index, state: "done" })),
  );
  const seen = new Set<number>();
  const dropped = indexes.filter((index) => !wanted.has(index) || seen.size === seen.add(index).size);
  return { accepted, dropped };
}

/** @returns the tasks that have no other provisional result */
function withdrawInModel(job: ModelJob, number: number, indexes?: readonly number[]): number[] {
  const window = job.windows.get(number) ?? new Set();
  const removed = [...window].filter((index) => indexes?.includes(index) ?? true);
  for (const index of removed) window.delete(index);
  const reopened = removed.filter((index) => !isProvisional(job, index));
  if (!job.quorum) for (const index of reopened) job.claimed.delete(index);
  return reopened;
}

function isOpen(job: ModelJob, index: number): boolean {
  return job.tasks.has(index) && !job.outcomes.some((outcome) => outcome.index === index);
}

function provisionalIn({ windows }: ModelJob): Set<number> {
  return new Set([...windows.values()].flatMap((window) => [...window]));
}

function isProvisional(job: ModelJob, index: number): boolean {
  return provisionalIn(job).has(index);
}

function finishInModel(job: ModelJob): void {
  if (job.state !== "closed" || job.outcomes.length < job.tasks.size) return;
  job.state = "finished";
  job.claimed.clear();
  job.windows.clear();
}

function isActive({ state }: ModelJob): boolean {
  return state === "open" || state === "closed";
}

async function compare(store: Store, job: ModelJob): Promise<void> {
  const count = (state: string) => job.outcomes.filter((outcome) => outcome.state === state).length;
  expect(await store.getJob(job.id)).toMatchObject({
    state: job.state,
    total: job.tasks.size,
    done: count("done"),
    failed: count("failed"),
    lastSeq: job.lastSeq,
    provisional: provisionalIn(job).size,
  });
  const provisional = await store.provisionalResults(job.id, -1, 1000, Infinity);
  const expected = [...job.windows].flatMap(([number, window]) =>
    [...window].map((index) => ({ ...output(index), client: `c_${number}` as ClientId })),
  );
  const byTask = (a: ProvisionalResult, b: ProvisionalResult) =>
    a.index - b.index || a.client.localeCompare(b.client);
  expect(provisional.sort(byTask)).toEqual(expected.sort(byTask));
  const results = await store.results(job.id, 0, 1000, Infinity);
  expect(results.map(({ seq, index, state }) => ({ seq, index, state }))).toEqual(job.outcomes);
}

async function workOff(store: Store, job: ModelJob): Promise<void> {
  if (!isActive(job)) return;
  await store.closeJob(job.id);
  for (const [number, window] of job.windows)
    if (job.serial % 2 === 0) await store.acceptProvisional(job.id, number, [...window]);
    else await store.withdrawProvisional(job.id, number);
  await store.unclaim(job.id, [...job.claimed]);
  for (;;) {
    const claimed = await store.claim(job.id, 7);
    if (claimed.length === 0) break;
    await store.complete(
      job.id,
      claimed.map(({ index }) => done(index)),
    );
  }
  const ended = (await store.results(job.id, 0, 1000, Infinity)).map(({ index }) => index);
  expect(ended.sort((a, b) => a - b)).toEqual([...job.tasks].sort((a, b) => a - b));
  expect((await store.getJob(job.id))?.state).toBe("finished");
}
