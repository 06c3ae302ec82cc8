import { existsSync, globSync } from "node:fs";
import { findBrowser } from "../../../scripts/find-browser.js";

/** Programs that the tests start, where this machine has them. */
export const programs = {
  firefox: ["/usr/bin/firefox-esr", "/usr/bin/firefox"].find(existsSync),
  miniBrowser: globSync("/usr/lib/*/webkit2gtk-4.1/MiniBrowser")[0],
  webKitDriver: ["/usr/bin/WebKitWebDriver"].find(existsSync),
  display: ["/usr/bin/Xvfb"].find(existsSync),
} as const;

/** Engines of browsers, and whether this machine has them. */
export const engines = {
  chromium: findBrowser() !== undefined,
  firefox: programs.firefox !== undefined,
  webkit: [programs.miniBrowser, programs.webKitDriver, programs.display].every((path) => path !== undefined),
} as const;
export type Engine = keyof typeof engines;

/** The end of the title of tests that need an engine. */
export function whySkipped(engine: Engine): string {
  return engines[engine]
    ? ""
    : ` — skipped: ${engine} is not installed (Debian: chromium; firefox-esr; webkit2gtk-driver, xvfb)`;
}
