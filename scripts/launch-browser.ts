import { defaultArgs, launch, type Browser } from "puppeteer";
import { findBrowser } from "./find-browser.js";

/** A name that resolves to this machine and is no secure context, as a lab's server under plain HTTP. */
export const labHost = "lab.test";

/** How a browser differs from the one that {@link launchBrowser} starts. */
export interface BrowserOptions {
  /** Flags beside the usual ones. */
  readonly args?: readonly string[];
  /**
   * Puppeteer keeps sandboxed frames in the page's process; browsers as people use them give them one of their own. True:
   * as people use them.
   */
  readonly isolateSandboxes?: boolean;
}

/**
 * Starts the system's Chromium with a fresh profile, for tests, benchmarks and what draws the documentation. Puppeteer removes
 * the profile, also when this process ends without closing the browser.
 */
export async function launchBrowser(options: BrowserOptions = {}): Promise<Browser> {
  const executablePath = findBrowser();
  if (!executablePath) throw new Error("No Chrome or Chromium found; set CHROME_PATH.");
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
  return launch({ executablePath, args, ignoreDefaultArgs: options.isolateSandboxes ? features : false });
}
