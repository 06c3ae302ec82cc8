import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { callHarness, labHost, launchBrowser, openHarness } from "../support/browser.ts";
import { startStaticServer, type StaticServer } from "../support/static-server.ts";
import { buildWeb, type WebBuild } from "../support/web-build.ts";

let build: WebBuild;
let server: StaticServer;
let browser: Browser;

beforeAll(async () => {
  build = await buildWeb("harness.page.ts");
  server = await startStaticServer(build.directory);
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
  await build?.dispose();
});

describe.each(["localhost", labHost])("the browser's sandbox on %s", (host) => {
  let page: Page;
  beforeAll(async () => {
    page = await browser.newPage();
    await openHarness(page, server.port, host);
  });
  afterAll(() => page.close());

  it("runs on the kind of origin it says", async () => {
    const secure = host !== labHost;
    expect(await callHarness(page, "secure")).toEqual({ secure, subtle: secure, locks: secure });
  });

  it("runs a bundle and reports every task in order", async () => {
    const source = "export default (x, ctx) => x * x + ctx.index";
    const id = await callHarness<number>(page, "load", source);
    const outcomes = await callHarness(page, "run", id, source, [2, 3, 4]);
    expect(outcomes).toEqual([
      { index: 0, output: 4 },
      { index: 1, output: 10 },
      { index: 2, output: 18 },
    ]);
  });
});
