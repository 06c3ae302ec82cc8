import { defaultArgs, launch, type Browser } from "puppeteer";
import { findBrowser } from "./find-browser.js";
import { labHost } from "./lab-host.ts";

interface BrowserOptions {
  /** Flags beside the usual ones. */
  readonly args?: readonly string[];
  /** Gives sandboxed frames a process of their own, as browsers do by default. Puppeteer keeps them in that of the page. */
  readonly isolateSandboxes?: boolean;
  /** Treats hidden tabs as browsers do, whose timers are late: Puppeteer has them treated as visible ones. */
  readonly throttleHidden?: boolean;
}

const asIfVisible = [
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
];

/**
 * Starts the system's Chromium with a fresh profile, for tests, benchmarks and scripts that draw the documentation. Puppeteer removes
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
  // The flag can only be left out as a whole; the other features that it disables do not matter here.
  const features = (await defaultArgs()).filter((flag) => flag.startsWith("--disable-features="));
  const without = [
    ...(options.isolateSandboxes ? features : []),
    ...(options.throttleHidden ? asIfVisible : []),
  ];
  return launch({ executablePath, args, ignoreDefaultArgs: without.length > 0 ? without : false });
}
