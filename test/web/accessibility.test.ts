import axe from "axe-core";
import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchBrowser } from "../support/browser.ts";
import { slowInputs, slowSquareSource, submitJob } from "../support/jobs.ts";
import { click, openPage, untilText } from "../support/pages.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

/** What axe finds in the page: light and dark, at desk and in the hand. */
async function expectNoBarriers(page: Page): Promise<void> {
  await page.evaluate(axe.source);
  const found = new Set<string>();
  for (const [width, value] of [
    [1280, "light"],
    [390, "dark"],
  ] as const) {
    await page.setViewport({ width, height: 844 });
    await page.emulateMediaFeatures([
      { name: "prefers-color-scheme", value },
      { name: "prefers-reduced-motion", value: "reduce" },
    ]);
    await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })");
    // Sandboxes are frames without anything to see.
    const results = (await page.evaluate("axe.run(document, { iframes: false })")) as axe.AxeResults;
    for (const { id, help, nodes } of results.violations)
      for (const { target, failureSummary } of nodes)
        found.add(`${id} (${help}), ${value}, ${width}: ${target.join(" ")}: ${failureSummary}`);
  }
  expect([...found]).toEqual([]);
}

const failing = "export default () => { throw new Error('no particles'); }";

describe("[PAGE-3] axe finds no barrier", () => {
  test("on the volunteer page: ready, without work, computing, paused, stopped, refused", async () => {
    const server = await startTestServer();
    const page = await openPage(browser, server.url);
    await page.waitForSelector("button");
    await expectNoBarriers(page);
    await click(page, "Start computing");
    await untilText(page, /No work right now/);
    await expectNoBarriers(page);
    await submitJob(server, slowSquareSource, slowInputs(100, 1_500), { name: "squares" });
    await untilText(page, /Computing for/);
    await expectNoBarriers(page);
    await click(page, "Pause");
    await untilText(page, /Paused until/);
    await expectNoBarriers(page);
    await server.api("POST", `/api/jobs/${await onlyJob(server)}/cancel`);
    await click(page, "Finish and stop");
    await untilText(page, /Thank you/);
    await expectNoBarriers(page);
    const closed = await startTestServer({ volunteers: "invite" });
    const refused = await openPage(browser, `${closed.url}/?auto=1`);
    await untilText(refused, /Open the invitation link/);
    await expectNoBarriers(refused);
  });

  test("on the status page: signing in, without jobs, with running and failing ones", async () => {
    const server = await startTestServer();
    const page = await openPage(browser, server.adminUrl);
    await page.waitForSelector("input[name=token]");
    await expectNoBarriers(page);
    await page.type("input[name=token]", `${server.token}\n`);
    await untilText(page, /No jobs yet/);
    await expectNoBarriers(page);
    await submitJob(server, failing, [1, 2, 3], { name: "picking", maxAttempts: 1 });
    await submitJob(server, slowSquareSource, slowInputs(20, 60_000), { name: "squares" });
    await openPage(browser, `${server.url}/?auto=1`);
    await page.bringToFront();
    await untilText(page, /3 failed[\s\S]*squares|squares[\s\S]*3 failed/);
    await expectNoBarriers(page);
  });

  test("on the status page in German: a failing job, access", async () => {
    const server = await startTestServer();
    const page = await openPage(browser, server.adminUrl, "de");
    await page.waitForSelector("input[name=token]");
    await page.type("input[name=token]", `${server.token}\n`);
    const id = await submitJob(server, failing, [1, 2, 3], { name: "picking", maxAttempts: 1 });
    await openPage(browser, `${server.url}/?auto=1`);
    await page.bringToFront();
    await untilText(page, /3 gescheitert/);
    await expectNoBarriers(page);
    await page.goto(`${server.adminUrl}#/jobs/${id}`);
    await untilText(page, /3 gescheiterte Aufgaben[\s\S]*Fehler im Kernel/);
    await expectNoBarriers(page);
    await page.goto(`${server.adminUrl}#/access`);
    await untilText(page, /Was Administratoren getan haben/);
    await expectNoBarriers(page);
  });
});

async function onlyJob(server: TestServer): Promise<string> {
  const [job] = (await server.api("GET", "/api/jobs")) as unknown as { id: string }[];
  return job!.id;
}
