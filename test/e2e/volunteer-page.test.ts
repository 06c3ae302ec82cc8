import { createHash, randomBytes } from "node:crypto";
import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { labHost, launchBrowser } from "../support/browser.ts";
import {
  expectAllOnce,
  readClients,
  readJob,
  request,
  slowInputs,
  slowSquareSource,
  squares,
  submitJob,
} from "../support/jobs.ts";
import { Link } from "../support/link/link.ts";
import {
  startClientProcess,
  startServerProcess,
  temporaryDirectory,
  until,
  type RunningServerProcess,
} from "../support/processes.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

/** Opens the volunteer page in a profile of its own. */
async function openPage(server: { url: string }, query = "?auto=1"): Promise<Page> {
  const context = await browser.createBrowserContext();
  onTestFinished(() => context.close());
  const page = await context.newPage();
  await page.goto(`${server.url}/${query}`);
  return page;
}

const computing = (server: RunningServerProcess): Promise<boolean> =>
  readClients(server).then((clients) => clients.some(({ current }) => (current[0]?.progress ?? 0) > 0));

const finished = (server: RunningServerProcess, id: string) => async (): Promise<boolean> =>
  (await readJob(server, id)).state === "finished";

describe("the volunteer page", () => {
  test("[DATA-7] reads ranges of a large blob on a lab's plain-HTTP origin, where hashing is done in JavaScript", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    const stack = randomBytes(12_000_000);
    const sha256 = createHash("sha256").update(stack).digest("hex");
    const put = await fetch(`${server.url}/api/blobs/${sha256}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${server.token}` },
      body: stack,
    });
    expect(put.status).toBe(201);
    const starts = [0, 262_140, 300_000, 11_999_000];
    const kernel = "export default async (ref, ctx) => Array.from(await ctx.data(ref));";
    const inputs = starts.map((at) => ({ $ref: { sha256, size: stack.length, range: [at, at + 1000] } }));
    const id = await submitJob(server, kernel, inputs);
    await openPage({ url: `http://${labHost}:${server.port}` });
    await until(finished(server, id));
    await expectAllOnce(
      server,
      id,
      starts.map((at) => [...stack.subarray(at, at + 1000)]),
    );
  });

  test("[TRANSFER-1] [TRANSFER-2] gets data and output over a link that is reset sooner than either takes", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    const link = await Link.start(server.url, {
      rttMs: 20,
      upMbitPerS: 8,
      downMbitPerS: 8,
      loss: 0,
      resetEveryMs: 2_000,
    });
    onTestFinished(() => link.close());
    const data = randomBytes(3_000_000);
    const sha256 = createHash("sha256").update(data).digest("hex");
    const put = await fetch(`${server.url}/api/blobs/${sha256}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${server.token}` },
      body: data,
    });
    expect(put.status).toBe(201);
    const kernel = "export default async (ref, ctx) => (await ctx.data(ref)).map((byte) => byte ^ 1);";
    const inputs = [{ $ref: { sha256, size: data.length } }];
    const id = await submitJob(server, kernel, inputs, { verify: "off" });
    await openPage(link);
    await until(finished(server, id), 90_000);
    const results = await fetch(`${server.url}/api/jobs/${id}/results`, {
      headers: { authorization: `Bearer ${server.token}`, accept: "application/x-ndjson" },
    });
    const [line] = (await results.text()).split("\n");
    const { output } = JSON.parse(line!) as { output: { $bytes: string } };
    expect(Buffer.from(output.$bytes, "base64").equals(data.map((byte) => byte ^ 1))).toBe(true);
  });

  test("one click starts it; it computes, shows for whom, and says when there is nothing to do", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    const id = await submitJob(server, slowSquareSource, slowInputs(6, 600), { name: "squares for Ada" });
    const page = await openPage(server, "");
    const start = await page.waitForSelector("::-p-text(Start computing)");
    await start!.click();
    await page.waitForSelector("::-p-text(squares for Ada)");
    await until(finished(server, id));
    await expectAllOnce(server, id, squares(6));
    await page.waitForSelector("::-p-text(No work)");
    const browsers = (await readClients(server)).filter(({ kind }) => kind === "browser");
    expect(browsers).toMatchObject([{ connected: true, trusted: false }]);
  });

  test("?auto=1 on a lab's plain-HTTP origin, which is no secure context", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    const id = await submitJob(server, slowSquareSource, slowInputs(4, 50));
    const page = await openPage({ url: `http://${labHost}:${server.port}` });
    expect(await page.evaluate("isSecureContext")).toBe(false);
    await until(finished(server, id));
    await expectAllOnce(server, id, squares(4));
  });

  test("[LEASE-4] a tab closed in mid-task: another client finishes at once what it held", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    const id = await submitJob(server, slowSquareSource, [{ x: 5, ms: 3000 }], { maxAttempts: 1 });
    const page = await openPage(server);
    await until(() => computing(server));
    await startClientProcess(server);
    await page.close();
    // maxAttempts is 1: if the closed tab counted as an attempt, the task would have failed.
    await until(finished(server, id), 20_000);
    await expectAllOnce(server, id, [25]);
  });

  test("[OUTBOX-1] a result finished while the server was away is delivered by the reloaded tab", async () => {
    const data = await temporaryDirectory();
    const server = await startServerProcess(data);
    const source = `export default async (x, ctx) => {
      ctx.log("started");
      for (let i = 0; i < 100; i++) { ctx.progress(i / 100); await new Promise((go) => setTimeout(go, 25)); }
      return x + 1;
    }`;
    // An audit would be a second start of the kernel.
    const id = await submitJob(server, source, [41], { verify: "off" });
    const page = await openPage(server);
    await until(() => computing(server));
    await server.kill();
    await page.waitForFunction(String.raw`/Waiting for delivery\s+1/.test(document.body.innerText)`);
    await page.goto("about:blank");
    const again = await startServerProcess(data, ["--port", String(server.port)]);
    await page.goto(`${again.url}/?auto=1`);
    await until(finished(again, id));
    await expectAllOnce(again, id, [42]);
    // The log is the restarted server's own and shows no second start of the kernel.
    expect(await request(again, "GET", `/api/jobs/${id}/logs`)).toEqual([]);
  });

  test("a checkpoint of a closed tab is where a node client goes on", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    const source = `export default async (x, ctx) => {
      const first = ctx.resume ?? 0;
      for (let i = first; i < 40; i++) { ctx.checkpoint(i); ctx.progress(i / 40); await new Promise((go) => setTimeout(go, 50)); }
      return first;
    }`;
    // In a verified job a stranger's checkpoint is continued by its own cohort only.
    const id = await submitJob(server, source, [0], { verify: "off" });
    const page = await openPage(server);
    await until(async () => ((await readClients(server))[0]?.current[0]?.progress ?? 0) >= 0.25);
    await page.close();
    await startClientProcess(server);
    await until(finished(server, id));
    const [result] = await request<{ output: number }[]>(server, "GET", `/api/jobs/${id}/results`);
    expect(result!.output).toBeGreaterThan(0);
  });
});
