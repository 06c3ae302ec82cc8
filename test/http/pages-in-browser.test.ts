import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callHarness, labHost, launchBrowser, openHarness } from "../support/browser.ts";
import { openHttpServer, type HttpServer } from "../support/http-server.ts";
import { buildWeb, type WebBuild } from "../support/web-build.ts";

let build: WebBuild;
let browser: Browser;
let server: HttpServer;
let close: () => Promise<void>;
let port: number;

beforeAll(async () => {
  build = await buildWeb("harness.page.ts");
  ({ server, close } = await openHttpServer({ webRoot: build.directory }));
  port = Number(new URL(server.url).port);
  browser = await launchBrowser({ isolateSandboxes: true });
});
afterAll(async () => {
  await browser?.close();
  await close?.();
  await build?.dispose();
});

/** Opens a page and collects the browser's complaints. */
async function visit(path: string, host: string): Promise<{ page: Page; complaints: string[] }> {
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(`http://${host}:${port}${path}`, { waitUntil: "load" });
  return { page, complaints };
}

// A kernel is arbitrary code, and only a real browser shows whether the headers contain it and let it work.
describe.each(["localhost", labHost])("the real headers in a real browser, on %s", (host) => {
  test("a kernel runs in the framed sandbox, and reaches nothing", async () => {
    const page = await browser.newPage();
    await openHarness(page, port, host);
    const source = `export default async (x) => {
      const [loaded] = await Promise.allSettled([import("http://${host}:${port}/arbiter.js")]);
      return [x * x, new Function("return 7")(), loaded.status];
    }`;
    const id = await callHarness<number>(page, "load", source);
    expect(await callHarness(page, "run", id, source, [6])).toEqual([
      { index: 0, output: [36, 7, "rejected"] },
    ]);
    await page.close();
  });

  test.each(["/", "/admin"])("%s works without a complaint about its policy", async (path) => {
    const { page, complaints } = await visit(path, host);
    await page.waitForFunction("document.body.innerText.length > 20");
    expect(complaints.filter((text) => /Content.Security|Refused|blocked|ignored/i.test(text))).toEqual([]);
    await page.close();
  });
});

test.each(["/sandbox.html", "/", "/admin"])("a page of another origin cannot frame %s", async (path) => {
  const page = await browser.newPage();
  const url = `http://localhost:${port}${path}`;
  await page.setContent(`<iframe src="${url}"></iframe>`, { waitUntil: "load" });
  const frame = await (await page.$("iframe"))!.contentFrame();
  // The browser shows this page in place of a refused frame.
  expect(frame.url()).toMatch(/^chrome-error:/);
  await page.close();
});
