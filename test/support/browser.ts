import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultArgs, launch, type Browser, type Page } from "puppeteer";
import { findBrowser } from "../../scripts/find-browser.js";

/** A name that resolves to this machine and is no secure context, as a lab's server under plain HTTP. */
export const labHost = "lab.test";

export interface BrowserOptions {
  readonly args?: readonly string[];
  /**
   * Puppeteer keeps sandboxed frames in the page's process; browsers as people use them give them one of their own. True:
   * as people use them.
   */
  readonly isolateSandboxes?: boolean;
}

/** Starts the system's Chromium with a fresh profile. */
export async function launchBrowser(options: BrowserOptions = {}): Promise<Browser> {
  const executablePath = findBrowser();
  if (!executablePath) throw new Error("No Chrome or Chromium found; set CHROME_PATH.");
  const userDataDir = await mkdtemp(join(tmpdir(), "manyhands-chrome-"));
  const args = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    `--host-resolver-rules=MAP ${labHost} 127.0.0.1`,
    ...(options.args ?? []),
  ];
  // Only the whole flag can be left out; what else it disables does not matter here.
  const features = (await defaultArgs()).filter((flag) => flag.startsWith("--disable-features="));
  const browser = await launch({
    executablePath,
    userDataDir,
    args,
    ignoreDefaultArgs: options.isolateSandboxes ? features : false,
  });
  browser.on("disconnected", () => void rm(userDataDir, { recursive: true, force: true, maxRetries: 5 }));
  return browser;
}

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
