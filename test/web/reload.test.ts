import type { Browser, Page } from "puppeteer";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { launchBrowser } from "../support/browser.ts";
import { readJob, slowInputs, slowSquareSource, submitJob } from "../support/jobs.ts";
import { press, untilText } from "../support/pages.ts";
import { until } from "../support/processes.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser({ isolateSandboxes: true });
});
afterEach(async () => {
  for (const context of browser.browserContexts().slice(1)) await context.close();
});
afterAll(() => browser?.close());

/** A page that computes one task of so many ms; `isSame` tells whether it was not loaded anew since. */
async function computing(
  server: TestServer,
  taskMs: number,
): Promise<{ page: Page; id: string; isSame: () => Promise<boolean> }> {
  const page = await (await browser.createBrowserContext()).newPage();
  await page.goto(`${server.url}/?slots=1`);
  const id = await submitJob(server, slowSquareSource, slowInputs(1, taskMs), {
    name: "squares",
    verify: "off",
    timeoutMs: 60_000,
  });
  await press(page, "Start computing");
  // The part of the page that loads after the first task is there.
  await untilText(page, /Pause for[\s\S]*task 0/);
  return { page, id, isSame: await marked(page) };
}

async function marked(page: Page): Promise<() => Promise<boolean>> {
  await page.evaluate("window.mark = 1");
  return async () => (await page.evaluate("window.mark === 1").catch(() => false)) === true;
}

async function askToReload(server: TestServer): Promise<void> {
  const clients = (await server.api("GET", "/api/clients?state=connected")) as unknown as { id: string }[];
  expect(
    await server.api("POST", "/api/clients", { verb: "reload", clients: clients.map(({ id }) => id) }),
  ).toMatchObject({ done: 1 });
}

describe("[CLIENTS-3] a page that is asked to reload", () => {
  test("delivers what it computes, loads itself anew with the other tabs, and goes on by itself", async () => {
    const server = await startTestServer();
    const { page, id, isSame } = await computing(server, 12_000);
    const other = await page.browserContext().newPage();
    await other.goto(`${server.url}/?auto=1`);
    await untilText(other, /squares/);
    const isOtherSame = await marked(other);
    await askToReload(server);
    await untilText(page, /about to load its newest version/);
    await until(async () => !(await isOtherSame()));
    expect((await readJob(server, id)).counts).toMatchObject({ done: 0, running: 1 });
    await until(async () => !(await isSame()));
    expect((await readJob(server, id)).counts).toMatchObject({ done: 1 });
    expect(await server.api("GET", `/api/jobs/${id}/tasks/0`)).toMatchObject({ runs: [{ attempt: 1 }] });
    const next = await submitJob(server, slowSquareSource, slowInputs(1, 1), { verify: "off" });
    await until(async () => (await readJob(server, next)).state === "finished");
    await untilText(page, /Another tab of this browser is computing|No work right now/);
  });

  test("that its person stops meanwhile stays stopped", async () => {
    const server = await startTestServer();
    const { page, isSame } = await computing(server, 60_000);
    await askToReload(server);
    await untilText(page, /about to load its newest version/);
    await press(page, "Stop now");
    await untilText(page, /Stopped|Thank you/);
    await until(
      async () => ((await server.api("GET", "/api/clients?state=connected")) as unknown as []).length === 0,
    );
    expect(await isSame()).toBe(true);
  });

  test("whose server does not deliver it stays as it is, and goes on", async () => {
    const server = await startTestServer();
    const { page, id, isSame } = await computing(server, 3_000);
    await page.evaluate(
      "window.asked = 0; window.fetch = () => { window.asked++; return Promise.reject(new TypeError('away')); };",
    );
    await askToReload(server);
    await until(async () => Number(await page.evaluate("window.asked")) > 0);
    await until(async () => (await readJob(server, id)).state === "finished");
    const next = await submitJob(server, slowSquareSource, slowInputs(1, 1), { verify: "off" });
    await until(async () => (await readJob(server, next)).state === "finished");
    expect(await isSame()).toBe(true);
  });
});
