import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, expect, it } from "vitest";
import { callHarness, launchBrowser, openHarness } from "../support/browser.ts";
import { startStaticServer, type StaticServer } from "../support/static-server.ts";
import { buildWeb, type WebBuild } from "../support/web-build.ts";

let build: WebBuild;
let server: StaticServer;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  build = await buildWeb("harness.page.ts");
  server = await startStaticServer(build.directory);
  browser = await launchBrowser({ isolateSandboxes: true, args: ["--js-flags=--max-old-space-size=128"] });
  page = await browser.newPage();
  await openHarness(page, server.port);
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
  await build?.dispose();
});

it("[FAIL-6] a kernel that runs out of memory ends its sandbox, and the page goes on", async () => {
  const source = "export default () => { const all = []; for (;;) all.push(new Array(5000).fill({})); }";
  const id = await callHarness<number>(page, "load", source);
  await callHarness(page, "begin", id, source);
  await page.waitForFunction(`window.harness.ended(${id}) !== null`, { timeout: 45_000 });
  expect(await callHarness(page, "ended", id)).toMatchObject({ kind: "crash", reason: /memory/ });
  expect(await callHarness(page, "once", "export default () => 'next'")).toEqual({
    index: 0,
    output: "next",
  });
});
