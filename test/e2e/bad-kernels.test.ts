import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Browser } from "puppeteer";
import type { ResultLine } from "../../shared/wire/rest/results.ts";
import { launchBrowser } from "../support/browser.ts";
import { expectAllOnce, readClients, readJob, readResults, squares, submitJob } from "../support/jobs.ts";
import { openPage } from "../support/pages.ts";
import {
  startClientProcess,
  startServerProcess,
  temporaryDirectory,
  until,
  type RunningServerProcess,
} from "../support/processes.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser({ isolateSandboxes: true });
});
afterAll(() => browser.close());

const clients: Record<string, (server: RunningServerProcess) => Promise<void>> = {
  node: async (server) => void (await startClientProcess(server)),
  browser: async (server) => void (await openPage(browser, `${server.url}/?auto=1`)),
};

const bad: { name: string; source: string; options: object; expected: object }[] = [
  {
    name: "[FAIL-1] throws: message and stack reach the customer",
    source: "export default () => { throw new TypeError('no such galaxy'); };",
    options: {},
    expected: {
      kind: "error",
      message: expect.stringContaining("no such galaxy"),
      stack: expect.stringContaining("TypeError"),
    },
  },
  {
    name: "[FAIL-2] hangs: its timeout ends it",
    source: "export default () => { for (;;); };",
    options: { timeoutMs: 500 },
    expected: { kind: "timeout" },
  },
  {
    name: "[WAIT-4] hangs while it loads: its timeout ends it",
    source: "for (;;); export default () => 1;",
    options: { timeoutMs: 500 },
    expected: { kind: "timeout", message: expect.stringContaining("loading") },
  },
  {
    name: "[FAIL-2] takes memory without end",
    source:
      "export default () => { const all = []; for (;;) all.push(new Array(1e5).fill(all.length + 0.5)); };",
    options: { memoryMb: 64, timeoutMs: 100_000 },
    expected: { kind: expect.stringMatching(/memory|crash/) },
  },
  {
    name: "[FAIL-1] returns a function",
    source: "export default () => () => 1;",
    options: {},
    expected: { kind: "unserialisable" },
  },
  {
    name: "does not load",
    source: "import fs from 'node:fs'; export default () => fs.readdirSync('/');",
    options: {},
    expected: { kind: "refused", message: expect.stringContaining("does not load") },
  },
  {
    name: "has no default export",
    source: "export const kernel = (x) => x;",
    options: {},
    expected: { kind: "refused", message: expect.stringContaining("default") },
  },
];

describe.each(Object.keys(clients))("a kernel that goes wrong on a %s client", (kind) => {
  test("fails with its own failure, and harms neither the client nor another job [FAIL-5] [FAIL-6]", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    await clients[kind]!(server);
    const jobs: string[] = [];
    for (const { source, options } of bad)
      jobs.push(await submitJob(server, source, [1], { maxAttempts: 1, ...options }));
    const good = await submitJob(server, "export default (x) => x * x;", [0, 1, 2, 3, 4]);
    for (const [i, { name, expected }] of bad.entries()) {
      const id = jobs[i]!;
      await until(async () => (await readJob(server, id)).state === "finished", 110_000);
      const job = await readJob(server, id);
      expect(job.counts, name).toMatchObject({ done: 0, failed: 1 });
      const [result] = (await readResults(server, id)) as Extract<ResultLine, { state: "failed" }>[];
      expect(result, name).toMatchObject({ state: "failed", index: 0, attempts: 1, ...expected });
    }
    await until(async () => (await readJob(server, good)).state === "finished");
    await expectAllOnce(server, good, squares(5));
    // The auditor may be there as well.
    const own = (await readClients(server)).filter(({ name }) => name !== "auditor");
    expect(own).toMatchObject([{ connected: true }]);
  }, 240_000);
});

describe("a kernel that kills its sandbox everywhere", () => {
  test("[FAIL-4] is quarantined after three distinct clients, and its job ends with the reason", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    for (let i = 0; i < 3; i++) await startClientProcess(server);
    const source =
      "export default () => { const all = []; for (;;) all.push(new Array(1e5).fill(all.length + 0.5)); };";
    const id = await submitJob(server, source, [1, 2, 3, 4, 5, 6], { maxAttempts: 50, memoryMb: 64 });
    await until(async () => (await readJob(server, id)).state === "quarantined", 60_000);
    const job = await readJob(server, id);
    expect(job.counts).toMatchObject({ done: 0, failed: 6, queued: 0, running: 0 });
    expect(job.failures).toContainEqual(expect.objectContaining({ kind: "quarantined" }));
  });
});
