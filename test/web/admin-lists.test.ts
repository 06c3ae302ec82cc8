import type { Browser } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { failing, openAdmin, signIn, submitPicky } from "../support/admin-page.ts";
import { launchBrowser } from "../support/browser.ts";
import { button } from "../support/browsers/browser.ts";
import { readJob } from "../support/jobs.ts";
import { click, untilText } from "../support/pages.ts";
import { until } from "../support/processes.ts";
import { RawClient } from "../support/raw-client.ts";
import { startTestServer } from "../support/server.ts";

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

describe("[LIST-1] [STATUS-1] many jobs, on the status page", () => {
  it("shows those that fail first, turns pages, searches on the server, and comes back", async () => {
    const server = await startTestServer();
    const body = { kernel: { source: failing }, inputs: [1], requires: { kind: "node" } };
    await submitPicky(server, { name: "the oldest", inputs: [2] });
    const page = await openAdmin(browser, server);
    const volunteer = await page.browserContext().newPage();
    await volunteer.goto(`http://localhost:${server.port}/?auto=1`);
    await page.bringToFront();
    await signIn(page, server.token);
    await untilText(page, /1 failed/);
    for (let n = 0; n < 230; n++) await server.api("POST", "/api/jobs", { ...body, name: `many ${n}` });
    await untilText(page, /231 jobs[\s\S]*100 of 231 jobs/);
    await untilText(page, /the oldest[\s\S]*1 failed/);
    await click(page, "All, newest first");
    await untilText(page, /many 229[\s\S]*Page 1/);
    await click(page, "Next");
    await untilText(page, /many 129[\s\S]*Page 2/);
    await click(page, "Next");
    await untilText(page, /many 29[\s\S]*the oldest[\s\S]*Page 3/);
    const link = page.url();
    await click(page, "Back");
    await untilText(page, /many 129[\s\S]*Page 2/);
    const other = await page.browserContext().newPage();
    await other.goto(link);
    await untilText(other, /many 29[\s\S]*the oldest[\s\S]*Page 3/);
    await other.close();
    await page.bringToFront();
    await click(page, "First");
    await page.select(".question select[aria-label='In which order']", "name");
    await untilText(page, /many 0\n[\s\S]*many 100[\s\S]*Page 1/);
    expect(page.url()).toMatch(/#\/\?state=all&sort=name$/);
    await page.select(".question select[aria-label='In which order']", "newest");
    await page.type(".question input", "MANY 22");
    await page.waitForFunction(
      "document.querySelectorAll('.jobs tbody tr').length === 12 && /many 229/.test(document.body.innerText)",
      { polling: 50 },
    );
    await page.select(".question select[aria-label='Which jobs']", "failing");
    await untilText(page, /No job is like that/);
    await page.select(".question select[aria-label='Which jobs']", "");
    await page.$eval(".question input", (input) => ((input as { value: string }).value = ""));
    await page.type(".question input", " ");
    await untilText(page, /100 of 231 jobs/);
  });
});

describe("[STEER-1] several jobs at once", () => {
  it("ticks jobs of a page and all that match, asks how many, and pauses, resumes, cancels and retries them", async () => {
    const server = await startTestServer();
    const ids: string[] = [];
    for (let n = 0; n < 105; n++)
      ids.push(
        await submitPicky(server, { name: `batch ${n}`, kernel: { source: "export default (x) => x" } }),
      );
    const failed = await submitPicky(server, { name: "failing one" });
    const client = await new RawClient(server.url).join();
    const page = await openAdmin(browser, server);
    await page.setViewport({ width: 1280, height: 900 });
    await signIn(page, server.token);
    await untilText(page, /106 jobs/);
    const press = (label: string): Promise<void> =>
      page.locator(`::-p-xpath(//*[@aria-label='Ticked jobs']${button(label)})`).click();
    const states = async (): Promise<Record<string, number>> => {
      const counts: Record<string, number> = {};
      for (const { state, paused } of (await server.api("GET", "/api/jobs?search=batch")) as unknown as {
        state: string;
        paused: boolean;
      }[])
        counts[paused ? "paused" : state] = (counts[paused ? "paused" : state] ?? 0) + 1;
      return counts;
    };
    await page.type("[aria-labelledby=jobs] .filter", "batch");
    await page.locator("input[aria-label='Tick batch 104']").click();
    await page.locator("input[aria-label='Tick batch 103']").click();
    await press("Pause");
    await untilText(page, /Pause 2 jobs\?/);
    await click(page, "Pause 2 jobs");
    await until(async () => (await states())["paused"] === 2);
    // Jobs are no longer ticked once they are paused.
    await page.waitForSelector("[aria-label='Ticked jobs']", { hidden: true });
    await page.locator("[aria-labelledby=jobs] input[aria-label='Tick all of this page']").click();
    await untilText(page, /100 jobs ticked/);
    await press("Tick all that match");
    await untilText(page, /105 jobs ticked/);
    await press("Cancel");
    await click(page, "No, leave it");
    await press("Resume");
    await click(page, "Resume 105 jobs");
    await until(async () => (await states())["paused"] === undefined);
    await page.locator("[aria-labelledby=jobs] input[aria-label='Tick all of this page']").click();
    await press("Tick all that match");
    await untilText(page, /105 jobs ticked/);
    await press("Cancel");
    await click(page, "Cancel 105 jobs");
    await until(async () => (await states())["cancelled"] === 105);
    const { job, tasks } = await client.lease(3);
    expect(job).toBe(failed);
    client.send({
      type: "results",
      job,
      results: tasks.map(({ index, attempt }) => ({
        index,
        attempt,
        elapsedMs: 1,
        outcome: { state: "failed", failure: { kind: "error", message: "no particle" } },
      })),
    });
    await page.select(".question select[aria-label='Which jobs']", "failing");
    await page.$eval("[aria-labelledby=jobs] .filter", (input) => ((input as { value: string }).value = ""));
    await page.type("[aria-labelledby=jobs] .filter", " ");
    await page.locator("input[aria-label='Tick failing one']").click();
    await press("Retry failed");
    await click(page, "Retry 1 job");
    await until(async () => (await readJob(server, failed)).counts.failed === 0);
  });
});

describe("[LIST-1] [CLIENTS-1] [CLIENTS-2] many clients, on the status page", () => {
  it("searches, sorts and pages them on the server, says why one is idle, and drains all that match", async () => {
    const server = await startTestServer({ maxConnectionsPerAddress: 1000 });
    const clients: RawClient[] = [];
    for (let n = 0; n < 300; n++)
      clients.push(await new RawClient(server.url).join({ name: `machine ${n}`, slots: 1 + (n % 7) }));
    await submitPicky(server, { requires: { webgpu: true } });
    for (const client of clients) client.send({ type: "want", tasks: 1, slots: 1 });
    const page = await openAdmin(browser, server);
    await page.setViewport({ width: 1280, height: 900 });
    await signIn(page, server.token);
    await untilText(
      page,
      /Nothing is computed at present[\s\S]*1 job needs WebGPU, which no connected client has/,
    );
    await untilText(page, /300 clients[\s\S]*100 of 300 clients/);
    await page.select("select[aria-label='Order of clients']", "joined");
    await untilText(page, /machine 299[\s\S]*300 clients found, from 1 on/);
    await click(page, "On");
    await untilText(page, /machine 199[\s\S]*from 101 on/);
    await page.type("[aria-labelledby=clients] .filter", "machine 29");
    await untilText(page, /13 clients found/);
    await page.locator("::-p-xpath(//button[normalize-space()='why?'])").click();
    await untilText(page, /1 job needs WebGPU, which this client does not have/);
    await page.locator("[aria-labelledby=clients] input[aria-label='Tick all of this page']").click();
    await untilText(page, /13 clients ticked/);
    await page.locator(`::-p-xpath(//*[contains(@class, 'ticked')]${button("Drain")})`).click();
    await untilText(page, /drained[\s\S]*Give tasks/);
    await page.select("select[aria-label='Which clients']", "drained");
    await untilText(page, /13 clients found/);
    const drained = (await server.api("GET", "/api/clients?state=drained")) as unknown as { name: string }[];
    expect(drained.every(({ name }) => name.includes("29"))).toBe(true);
    // The address shows others the same.
    expect(page.url()).toMatch(/client-sort=joined.*client-search=machine\+29.*client-state=drained/);
    await page.reload();
    await untilText(page, /13 clients found/);
    await page.locator("[aria-labelledby=clients] input[aria-label='Tick all of this page']").click();
    await click(page, "Reload");
    await untilText(page, /Ask 13 clients to reload\?/);
    await click(page, "Ask 13 clients");
    const asked = ({ received }: RawClient): boolean =>
      received.some((message) => message.type === "heartbeat" && message.reload === true);
    await until(() => clients.filter(asked).length === 13);
  });
});
