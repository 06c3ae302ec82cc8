import type { Browser, Page } from "puppeteer";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { labHost, launchBrowser } from "../support/browser.ts";
import { slowInputs, slowSquareSource, submitJob } from "../support/jobs.ts";
import { keepSettings, press, untilText } from "../support/pages.ts";
import { until } from "../support/processes.ts";
import { readRuns, shareOf, spanOf, timedSource, type Run } from "../support/runs.ts";
import { startTestServer } from "../support/server.ts";

let browser: Browser;
beforeAll(async () => {
  // Browsers wake a page's timers once a second when it is hidden, and once a minute after five minutes: here after one second.
  browser = await launchBrowser({
    throttleHidden: true,
    isolateSandboxes: true,
    args: [
      "--intensive-wake-up-throttling-policy=force-enable",
      "--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/1",
    ],
  });
});
afterEach(async () => {
  for (const context of browser.browserContexts().slice(1)) await context.close();
});
afterAll(() => browser?.close());

const text = async (page: Page): Promise<string> => String(await page.evaluate("document.body.innerText"));
const figure = async (page: Page, label: string): Promise<string> =>
  new RegExp(`${label}\\s+([\\d,]+)`).exec(await text(page))?.[1] ?? "";

describe("[VOLUNTEER-8] several tabs", () => {
  test.each(["localhost", labHost])("show the numbers of the one that computes, on %s", async (host) => {
    const server = await startTestServer();
    const context = await browser.createBrowserContext();
    const [first, second] = [await context.newPage(), await context.newPage()];
    const url = `http://${host}:${server.port}/?auto=1`;
    await first.goto(url);
    await until(async () => (await text(first)).includes("nobody has a job here"));
    await second.goto(url);
    await second.bringToFront();
    await submitJob(server, slowSquareSource, slowInputs(3, 50), { name: "squares", verify: "off" });
    await until(async () => (await figure(second, "Tasks done")) === "3");
    await until(async () => /squares · .*: delivered and accepted/.test(await text(second)));
    await until(async () => /Your help so far\s+Today\s+3 tasks/i.test(await text(second)));
    expect(await text(second)).toContain("Another tab of this browser is computing already");
    await until(async () => (await figure(first, "Tasks done")) === "3");
    // The tab that takes over goes on counting.
    await first.close();
    await until(async () => (await text(second)).includes("No work right now"));
    await submitJob(server, slowSquareSource, slowInputs(2, 50), { verify: "off" });
    await until(async () => /Your help so far\s+Today\s+5 tasks/i.test(await text(second)));
  });

  test("choices made in one hold in the one that computes", async () => {
    const server = await startTestServer();
    const context = await browser.createBrowserContext();
    const [first, second] = [await context.newPage(), await context.newPage()];
    const url = `http://${labHost}:${server.port}/?auto=1`;
    await first.goto(`${url}&slots=all`);
    await until(async () => (await text(first)).includes("nobody has a job here"));
    await second.goto(url);
    const cores = Number(await second.evaluate("navigator.hardwareConcurrency"));
    const pausedUntil = Date.now() + 3_600_000;
    await keepSettings(second, { slots: Math.max(1, cores - 1), cpu: 45, pausedUntil });
    await until(async () => /Paused until \w+ at/.test(await text(first)));
    await first.bringToFront();
    await press(first, "Settings");
    await untilText(first, /at most 45 %/);
    // Nobody chose a number of slots in the other tab.
    expect(await text(first)).toContain(`Processor cores to lend: ${cores} of ${cores}`);
  });
});

describe("[VOLUNTEER-8] a hidden tab", () => {
  const measuredMs = 10_000;

  /** Runs of tasks of 200 ms on one core, for long enough. */
  async function runsOf(cpu: number, hidden: boolean): Promise<Run[]> {
    const server = await startTestServer();
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    await page.goto(server.url);
    await keepSettings(page, { slots: 1, cpu });
    const inputs = Array.from({ length: 200 }, () => 200);
    const id = await submitJob(server, timedSource, inputs, { verify: "off", math: "native" });
    await page.goto(`${server.url}/?auto=1`);
    if (hidden) {
      await (await context.newPage()).bringToFront();
      expect(await page.evaluate("document.visibilityState")).toBe("hidden");
    }
    await until(async () => spanOf(await readRuns(server, id)) > measuredMs, 60_000);
    if (hidden) expect(await timersIn(page, 3_000)).toBeLessThan(10);
    await page.close();
    return readRuns(server, id);
  }

  /** Number of timers of 10 ms, one after another, that a page has within some time. */
  const timersIn = async (page: Page, ms: number): Promise<number> =>
    Number(
      await page.evaluate(`new Promise((done) => {
        let count = 0;
        const tick = () => { count++; setTimeout(tick, 10); };
        tick();
        const { port1, port2 } = new MessageChannel();
        const until = performance.now() + ${ms};
        port1.onmessage = () => performance.now() < until ? port2.postMessage(0) : done(count);
        port2.postMessage(0);
      })`),
    );

  // With timers once a second a run of 200 ms takes a fifth of the time at most. A machine that is busy takes less from either.
  test("computes as fast as a visible one", { timeout: 180_000 }, async () => {
    const visible = shareOf(await runsOf(100, false));
    expect(shareOf(await runsOf(100, true))).toBeGreaterThan(0.6 * visible);
  });

  test("keeps its share of the processor", { timeout: 180_000 }, async () => {
    const share = shareOf(await runsOf(50, true));
    expect(share).toBeGreaterThan(0.3);
    expect(share).toBeLessThan(0.55);
  });
});
