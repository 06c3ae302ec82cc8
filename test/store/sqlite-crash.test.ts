import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openSqliteStore } from "../../server/store/sqlite/open.ts";
import type { Store } from "../../server/store/store.ts";
import { jobId, outputOf, tasks } from "../contract/store-fixtures.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "manyhands-crash-"));
});
afterAll(() => rm(directory, { recursive: true }));

const id = jobId(1);

/** Runs a writer, kills it after some lines, and returns every printed line. */
async function writeUntilKilled(lines: number): Promise<string[]> {
  const writer = spawn(process.execPath, [join(import.meta.dirname, "writer.ts"), directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(writer, "close");
  const said: string[] = [];
  for await (const line of createInterface({ input: writer.stdout })) {
    said.push(line);
    if (said.length === lines) writer.kill("SIGKILL");
  }
  const [, signal] = (await closed) as [number | null, string | null];
  expect(signal).toBe("SIGKILL");
  return said;
}

async function everyResult(store: Store): Promise<Map<number, number>> {
  const found = new Map<number, number>();
  let after = 0;
  for (;;) {
    const page = await store.results(id, after, 1000, Infinity);
    if (page.length === 0) return found;
    for (const row of page) {
      expect(row).toMatchObject({ state: "done", output: outputOf(row.index) });
      found.set(row.index, (found.get(row.index) ?? 0) + 1);
      expect(row.seq).toBe(++after);
    }
  }
}

it("[DUR-1] [DUR-2] [ONCE-1] [VERIFY-2] every verb acknowledged before kill -9 is there, once, and the next server starts", async () => {
  const accepted = new Set<number>();
  /** Indexes by the number of a window that was not about to be judged. */
  const kept = new Map<number, number[]>();
  let submitted = 0;
  for (const lines of [1, 60, 200, 333]) {
    for (const line of await writeUntilKilled(lines)) {
      const [what, ...numbers] = line.split(" ");
      if (what === "accepted") for (const index of numbers) accepted.add(Number(index));
      const [window, ...indexes] = numbers.map(Number) as [number, ...number[]];
      if (what === "kept") kept.set(window, [...(kept.get(window) ?? []), ...indexes]);
      if (what === "judging") kept.delete(window);
      if (what === "submitted") submitted = Math.max(submitted, Number(numbers[1]));
    }
    const store = await openSqliteStore(directory);
    try {
      const job = (await store.getJob(id))!;
      expect(job.total).toBeGreaterThanOrEqual(submitted);
      expect(await store.submit(id, tasks(0, submitted))).toMatchObject({ added: 0, repeated: submitted });

      const results = await everyResult(store);
      expect([...accepted].filter((index) => results.get(index) !== 1)).toEqual([]);
      expect([...results.values()].every((times) => times === 1)).toBe(true);
      expect([job.done, job.lastSeq]).toEqual([results.size, results.size]);

      const windows = new Map((await store.listWindows()).map(({ number, indexes }) => [number, indexes]));
      for (const [window, indexes] of kept)
        expect(windows.get(window)?.slice(0, indexes.length)).toEqual(indexes);
      expect([...windows.values()].flat().filter((index) => results.has(index))).toEqual([]);
      const open = await store.claim(id, 1_000_000);
      expect(open.length + results.size + job.provisional).toBe(job.total);
      expect(new Set([...windows.values()].flat()).size).toBe(job.provisional);
      expect(open.filter(({ index }) => results.has(index))).toEqual([]);
    } finally {
      await store.close();
    }
  }
  expect(accepted.size).toBeGreaterThan(100);
  expect(kept.size).toBeGreaterThan(0);
});
