import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { LocalPlatform } from "../../server/dispatch/local-platform.ts";
import { defaultServerOptions } from "../../server/options.ts";
import { ServerDirectory } from "../../server/server-directory.ts";
import { openPostgresStore } from "../../server/store/postgres/open.ts";
import { jobId, newJob, postKernel } from "../contract/store-fixtures.ts";
import { hasPostgres, Postgres, whyNoPostgres } from "../support/postgres.ts";

const id = jobId(1);
const hour = 3_600_000;
const day = 24 * hour;

describe.runIf(hasPostgres)(`jobs that readers follow at another server${whyNoPostgres}`, () => {
  let postgres: Postgres;
  beforeAll(async () => {
    postgres = await Postgres.start();
  }, 60_000);
  afterAll(() => postgres.stop());

  test.each([
    {
      rule: "[KEEP-1] are not deleted for their age",
      end: true,
      laterMs: 2 * hour,
      sweep: (platform: LocalPlatform) => platform.deleteOld(Date.now()),
    },
    {
      rule: "[KEY-3] are not cancelled as abandoned",
      end: false,
      laterMs: 8 * day,
      sweep: (platform: LocalPlatform) => platform.endAbandoned(Date.now()),
    },
  ])("$rule", async ({ end, laterMs, sweep }) => {
    const url = await postgres.newSchema();
    const open = async (name: string) => {
      const store = await openPostgresStore(url, { name });
      onTestFinished(() => store.close());
      const directory = await ServerDirectory.open(store);
      onTestFinished(() => directory.close());
      const options = { ...defaultServerOptions, keepJobs: { cancelled: hour } };
      const log = pino({ level: "silent" });
      const platform = await LocalPlatform.open({ store, options, log, directory, volunteerUrls: () => [] });
      return { store, directory, platform };
    };
    const [a, b] = [await open("a"), await open("b")];
    await postKernel(a.store);
    await a.store.createJob(newJob());
    if (end) await a.platform.cancel(id);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + laterMs });
    onTestFinished(() => void vi.useRealTimers());
    const look = async (): Promise<void> => {
      await b.directory.look();
      await a.directory.look();
    };

    const endReading = b.platform.reads(id);
    const waiting = new AbortController();
    const moved = b.platform.moved(id, waiting.signal);
    await look();
    expect(await sweep(a.platform)).toBe(0);
    // Of two readers one stays.
    waiting.abort();
    await moved;
    await look();
    expect(await sweep(a.platform)).toBe(0);
    endReading();
    await look();
    expect(await sweep(a.platform)).toBe(1);
  });
});
