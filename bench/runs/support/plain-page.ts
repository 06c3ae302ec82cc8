import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Page } from "puppeteer";
import { launchBrowser } from "../../../scripts/launch-browser.ts";

/** An empty page in a Chromium that is started as the volunteer page's. */
export async function openPlainPage(): Promise<Page> {
  const server = createServer((_, response) =>
    response.setHeader("content-type", "text/html").end("<!doctype html>"),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const browser = await launchBrowser({ isolateSandboxes: true });
  const page = await browser.newPage();
  await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
  return page;
}
