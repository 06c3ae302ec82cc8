import { afterEach, beforeEach, expect } from "vitest";
import { PlatformError, type ErrorCode } from "../../shared/errors.ts";
import type { Quotas } from "../../server/store/quotas.ts";
import type { NewJob, Store } from "../../server/store/store.ts";
import { skipped } from "../support/skipped.ts";
import { jobId, newJob, postKernel, tasks } from "./store-fixtures.ts";

/** Access of the contract suites to an implementation; every call of `open` makes an empty store. */
export interface StoreHarness {
  readonly open: (options: { clock: () => number; quotas?: Quotas }) => Promise<{
    readonly store: Store;
    /** Closes the store and opens it again on its data; undefined for a store without lasting data. */
    readonly reopen: (() => Promise<Store>) | undefined;
  }>;
  readonly durable: boolean;
}

/** End of the names of tests that need a store with lasting data. */
export const inMemory = ({ durable }: StoreHarness): string => skipped(!durable, "the store is in memory");

/**
 * Opens an empty store for each test of a suite, in which ada and bob have the kernel of {@link newJob}.
 * @param take - gets the store whenever it was opened
 */
export function useStore(harness: StoreHarness, take: (store: Store) => void) {
  const id = jobId(1);
  const clock = { now: 10_000 };
  let store: Store;
  let reopen: (() => Promise<Store>) | undefined;
  const open = async (quotas?: Quotas) => {
    ({ store, reopen } = await harness.open({ clock: () => clock.now, ...(quotas && { quotas }) }));
    take(store);
  };
  beforeEach(async () => {
    clock.now = 10_000;
    await open();
    for (const customer of ["ada", "bob"]) await postKernel(store, customer);
  });
  afterEach(() => store.close());
  return {
    clock,
    open,
    /** For durable stores. */
    restart: async () => {
      store = await reopen!();
      take(store);
      return store;
    },
    /** Makes a job with so many tasks. */
    start: async (count: number, changes: Partial<NewJob> = {}) => {
      const { job } = await store.createJob(newJob(changes));
      if (count > 0) await store.submit(job.id, tasks(0, count));
      return job;
    },
    claimIndexes: async (limit: number, job = id) =>
      (await store.claim(job, limit)).map(({ index }) => index),
    readAll: (job = id) => store.results(job, 0, 1_000_000, Infinity),
  };
}

export async function refuses(code: ErrorCode, verb: Promise<unknown>, message = /./): Promise<void> {
  const error: unknown = await verb.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PlatformError);
  expect(error).toMatchObject({ code, message: expect.stringMatching(message) as string });
}
