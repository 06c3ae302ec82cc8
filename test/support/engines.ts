import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { launch } from "puppeteer";
import { onTestFinished } from "vitest";
import { launchBrowser } from "./browser.ts";
import { temporaryDirectory } from "./processes.ts";

const firefox = "/usr/bin/firefox-esr";
const webKit = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";
const display = "/usr/bin/xvfb-run";

/** Engines of browsers, and whether this machine has them (Debian packages: firefox-esr; webkit2gtk-driver, xvfb). */
export const engines = {
  chromium: true,
  firefox: existsSync(firefox),
  webkit: existsSync(webKit) && existsSync(display),
} as const;
export type Engine = keyof typeof engines;

/** Opens a page in a browser that ends with the test. */
export async function openPage(engine: Engine, url: string): Promise<void> {
  if (engine === "webkit") return openInWebKit(url);
  const browser =
    engine === "firefox"
      ? await launch({ browser: "firefox", executablePath: firefox })
      : await launchBrowser();
  onTestFinished(() => browser.close());
  await (await browser.newPage()).goto(url);
}

/** WebKit's own small browser, on a display in memory, which needs no driver to show one page. */
async function openInWebKit(url: string): Promise<void> {
  const env = {
    ...process.env,
    HOME: await temporaryDirectory(),
    // WebKit's sandbox takes rights that containers do not give.
    WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1",
  };
  const started = spawn(display, ["-a", webKit, "--private", url], { env, stdio: "ignore", detached: true });
  onTestFinished(async () => {
    process.kill(-started.pid!, "SIGTERM");
    await once(started, "exit");
  });
  await once(started, "spawn");
}
