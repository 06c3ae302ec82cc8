import type { Page } from "puppeteer";
import { beforeAll, expect, it } from "vitest";
import { callHarness, openHarness } from "../support/browser.ts";
import { useHarnessSite } from "../support/harness-site.ts";

const site = useHarnessSite({ isolateSandboxes: true, args: ["--js-flags=--max-old-space-size=128"] });
let page: Page;

beforeAll(async () => {
  page = await site.browser.newPage();
  await openHarness(page, site.server.port);
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
