import { createHash, randomBytes } from "node:crypto";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { connect, type Hands, type PrecacheProgress } from "../../customer/index.ts";
import { limits } from "../../shared/limits.ts";
import { labHost, launchBrowser } from "../support/browser.ts";
import { readClients } from "../support/jobs.ts";
import { openPage } from "../support/pages.ts";
import {
  run,
  startClientProcess,
  startServerProcess,
  temporaryDirectory,
  until,
  type RunningServerProcess,
} from "../support/processes.ts";

const { chunkBytes } = limits;
let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

async function connected(server: RunningServerProcess): Promise<Hands> {
  const hands = await connect(server.url, { token: server.token });
  onTestFinished(() => hands.close());
  return hands;
}

const online = (server: RunningServerProcess, count: number) => () =>
  readClients(server).then((clients) => clients.filter((one) => one.connected).length === count);

/** Names of the blobs on a node's disk. */
async function onDisk(cache: string): Promise<string[]> {
  const paths = await readdir(join(cache, "blobs"), { recursive: true }).catch(() => []);
  return paths.filter((path) => path.length > 60).map((path) => path.slice(-64));
}

/** Names of the blobs in a browser's IndexedDB. */
function inBrowser(page: Page): Promise<string[]> {
  return page.evaluate(`new Promise((resolve, reject) => {
    const opened = indexedDB.open("manyhands-blobs");
    opened.onerror = () => reject(opened.error);
    opened.onsuccess = () => {
      const keys = opened.result.transaction("blobs").objectStore("blobs").getAllKeys();
      keys.onsuccess = () => resolve(keys.result);
    };
  })`) as Promise<string[]>;
}

describe("[PRECACHE-1] data that is pushed to a node and to a browser tab", () => {
  test("is in both caches before any task, tells its progress, and tasks find it there", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    const cache = await temporaryDirectory();
    await startClientProcess(server, [], cache);
    const page = await openPage(browser, `http://${labHost}:${server.port}/?auto=1`);
    await until(online(server, 2));
    const hands = await connected(server);
    const [table, stack] = [randomBytes(3_000_000), randomBytes(12_000_000)];
    const [tableRef, stackRef] = [await hands.put(table), await hands.put(stack)];
    const range = [5 * chunkBytes + 7, 7 * chunkBytes - 9] as const;
    const seen: PrecacheProgress[] = [];
    const end = await hands.precache(
      [tableRef, stackRef.slice(...range), stackRef.slice(range[0], range[0] + 5)],
      {
        onProgress: (progress) => seen.push(progress),
      },
    );
    const bytes = table.length + 2 * chunkBytes;
    expect(end).toEqual({
      done: true,
      bytes,
      clients: 2,
      have: 2,
      short: 0,
      paused: 0,
      haveBytes: 2 * bytes,
      problems: [],
    });
    expect(seen.at(-1)).toEqual(end);
    const names = [
      sha256(table),
      ...[5, 6].map((at) => sha256(stack.subarray(at * chunkBytes, (at + 1) * chunkBytes))),
    ].sort();
    expect((await onDisk(cache)).sort()).toEqual(names);
    expect((await inBrowser(page)).sort()).toEqual(names);

    const sums = await hands.map(
      async ({ whole, part }, ctx) => [(await ctx.data(whole)).length, (await ctx.data(part))[0]],
      Array.from({ length: 12 }, () => ({ whole: tableRef, part: stackRef.slice(...range) })),
    );
    expect(sums).toHaveLength(12);
    expect(sums).toEqual(sums.map(() => [table.length, stack[range[0]]]));
    const ratios = (await readClients(server)).map(({ cacheHitRatio }) => cacheHitRatio);
    // A task has two references, and the server knows that the whole blob is cached, from the first task on.
    for (const ratio of ratios) if (ratio !== null) expect(ratio).toBe(0.5);
    expect(ratios.some((ratio) => ratio !== null)).toBe(true);
  });

  test("reaches a client that joins while it is wanted; one that leaves is not waited for", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    const hands = await connected(server);
    const blob = randomBytes(1_000_000);
    const precaching = hands.precache(await hands.put(blob), { atLeast: 2 });
    await until(() => precaching.progress);
    expect(precaching.progress).toMatchObject({ clients: 0, done: false });
    const [cache, other] = [await temporaryDirectory(), await temporaryDirectory()];
    await startClientProcess(server, [], cache);
    await until(() => precaching.progress?.have === 1);
    const page = await openPage(browser, `http://${labHost}:${server.port}/?auto=1`);
    await startClientProcess(server, [], other).then((client) => client.kill());
    expect(await precaching).toMatchObject({ done: true, short: 0, problems: [] });
    expect(await onDisk(cache)).toEqual([sha256(blob)]);
    await until(
      async () => (await inBrowser(page)).includes(sha256(blob)) || (await onDisk(other)).length > 0,
    );
  });

  test("clients of one cache directory fetch it once", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    const cache = await temporaryDirectory();
    for (let rank = 0; rank < 3; rank++) await startClientProcess(server, [], cache);
    await until(online(server, 3));
    const hands = await connected(server);
    const [small, stack] = [randomBytes(2_000_000), randomBytes(40_000_000)];
    const refs = [await hands.put(small), (await hands.put(stack)).slice(0, 30_000_000)];
    const end = await hands.precache(refs);
    expect(end).toMatchObject({ clients: 3, have: 3 });
    expect(await onDisk(cache)).toHaveLength(1 + Math.ceil(30_000_000 / chunkBytes));
    // The client sends one request for the small blob; the ranges come in pieces of at most 8 MiB.
    expect(await blobRequests(server)).toBe(1 + Math.ceil(30_000_000 / (8 * 1024 * 1024)));
  });
});

describe("manyhands precache", () => {
  test("[PRECACHE-3] uploads files, pushes them, and names the clients that have not got all of it, with the reason", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    const directory = await temporaryDirectory();
    const file = join(directory, "stack.mrcs");
    await writeFile(file, randomBytes(2_000_000));
    await startClientProcess(server, ["--name", "large"]);
    await startClientProcess(server, ["--name", "small", "--cache-quota-gb", "0.001"]);
    await until(online(server, 2));
    const told = await command(server, ["precache", file, "--json"]);
    expect(told.code).toBe(1);
    expect(JSON.parse(told.output)).toMatchObject({
      bytes: 2_000_000,
      clients: 2,
      have: 1,
      short: 1,
      problems: [{ name: "small", missedBytes: 2_000_000, message: expect.stringContaining("no room") }],
    });
    const unknown = await command(server, ["precache", `{"$ref":{"sha256":"${"0".repeat(64)}","size":5}}`]);
    expect(unknown).toMatchObject({ code: 2 });
    expect(unknown.errors).toContain("There is no blob 000");
  });
});

async function command(
  server: RunningServerProcess,
  args: string[],
): Promise<{ code: number | null; output: string; errors: string }> {
  const running = run(args, { MANYHANDS_SERVER: server.url, MANYHANDS_TOKEN: server.token });
  const code = await running.ended;
  return { code, output: running.output(), errors: running.log() };
}

/** Number of requests for bytes of blobs, from the server's metrics. */
async function blobRequests(server: RunningServerProcess): Promise<number> {
  const headers = { authorization: `Bearer ${server.token}` };
  const text = await (await fetch(`${server.url}/metrics`, { headers })).text();
  const counts = text.matchAll(/_seconds_count\{method="GET",route="\/api\/blobs\/\{sha256\}",.*\} (\d+)/g);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}
