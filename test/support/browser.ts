import type { Page } from "puppeteer";

export { labHost } from "../../scripts/lab-host.ts";
export { launchBrowser } from "../../scripts/launch-browser.ts";

/** Calls a function of `window.harness` (see test/web/harness.page.ts) and returns its result. */
export async function callHarness<T>(page: Page, name: string, ...args: unknown[]): Promise<T> {
  return (await page.evaluate(`window.harness.${name}(...${JSON.stringify(args)})`)) as T;
}

/** Opens the harness page and waits until its module has run. */
export async function openHarness(page: Page, port: number, host = "localhost"): Promise<void> {
  await page.goto(`http://${host}:${port}/harness.html`);
  // A page in the background paints no frames, so the condition is polled by a timer.
  await page.waitForFunction("window.harness !== undefined", { polling: 50 });
}
