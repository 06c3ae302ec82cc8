import { createHash, randomBytes } from "node:crypto";
import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { labHost, launchBrowser } from "../support/browser.ts";
import {
  expectAllOnce,
  finished,
  readClients,
  request,
  slowInputs,
  slowSquareSource,
  squares,
  submitJob,
} from "../support/jobs.ts";
import { Link } from "../support/link/link.ts";
import { openPage, press, untilText } from "../support/pages.ts";
import { startClientProcess, startServerProcess, temporaryDirectory, until } from "../support/processes.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

/** Opens the volunteer page in a profile of its own. */
const openVolunteer = (server: { url: string }, query = "?auto=1"): Promise<Page> =>
  openPage(browser, `${server.url}/${query}`);

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
    await openVolunteer({ url: `http://${labHost}:${server.port}` });
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
    await openVolunteer(link);
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
    const page = await openVolunteer(server, "");
    const named = untilText(page, /squares for Ada/);
    await press(page, "Start computing");
    await named;
    await until(finished(server, id));
    await expectAllOnce(server, id, squares(6));
    await untilText(page, /No work/);
    const browsers = (await readClients(server)).filter(({ kind }) => kind === "browser");
    expect(browsers).toMatchObject([{ connected: true, trusted: false }]);
  });

  test("a checkpoint of a closed tab is where a node client goes on", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    const source = `export default async (x, ctx) => {
      const first = ctx.resume ?? 0;
      for (let i = first; i < 40; i++) {
        await new Promise((go) => setTimeout(go, 50));
        ctx.checkpoint(i + 1); ctx.progress(i / 40);
        // Nothing ends here without a checkpoint.
        if (first === 0 && i === 20) await new Promise(() => {});
      }
      return first;
    }`;
    // In a verified job a stranger's checkpoint is continued by its own cohort only.
    const id = await submitJob(server, source, [0], { verify: "off" });
    const page = await openVolunteer(server);
    await until(async () => ((await readClients(server))[0]?.current[0]?.progress ?? 0) >= 0.25);
    await page.close();
    await startClientProcess(server);
    await until(finished(server, id));
    const [result] = await request<{ output: number }[]>(server, "GET", `/api/jobs/${id}/results`);
    expect(result!.output).toBeGreaterThan(0);
  });
});
