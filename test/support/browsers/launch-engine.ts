import type { LaunchOptions, TestBrowser } from "./browser.ts";
import type { Engine } from "./engines.ts";
import { launchChromium, launchFirefox } from "./puppeteer.ts";
import { launchWebKit } from "./webkit.ts";

/** Starts a browser in which `labHost` is this machine. */
export function launchEngine(engine: Engine, options: LaunchOptions = {}): Promise<TestBrowser> {
  if (engine === "chromium") return launchChromium(options);
  return engine === "firefox" ? launchFirefox(options) : launchWebKit(options);
}
