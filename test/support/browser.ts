import type { Page } from "puppeteer";

export { labHost, launchBrowser } from "../../scripts/launch-browser.ts";

/** Calls a function of `window.harness` (see the page's *.page.ts) and returns what it resolves to. */
export async function callHarness<T>(page: Page, name: string, ...args: unknown[]): Promise<T> {
  return (await page.evaluate(`window.harness.${name}(...${JSON.stringify(args)})`)) as T;
}

/** Opens the harness page and waits until its module ran. */
export async function openHarness(page: Page, port: number, host = "localhost"): Promise<void> {
  await page.goto(`http://${host}:${port}/harness.html`);
  // Timers, because a page in the background is painted no frames.
  await page.waitForFunction("window.harness !== undefined", { polling: 50 });
}
