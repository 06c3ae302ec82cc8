import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch, type Browser } from "puppeteer";
import { launchBrowser } from "./browser.ts";
import { until } from "./processes.ts";
import { skipped } from "./skipped.ts";

/** A page of a browser. */
export interface EnginePage {
  /** The value of an expression, awaited; JSON only. */
  evaluate<T>(expression: string): Promise<T>;
  /** Ends the browser. */
  close(): Promise<void>;
}

const firefox = ["/usr/bin/firefox-esr", "/usr/bin/firefox"].find(existsSync);
const [webKit] = globSync("/usr/lib/*/webkit2gtk-4.1/MiniBrowser");
const webKitDriver = "/usr/bin/WebKitWebDriver";
const display = "/usr/bin/xvfb-run";

/** Engines of browsers, and whether this machine has them. */
export const engines = {
  chromium: true,
  firefox: firefox !== undefined,
  webkit: webKit !== undefined && [webKitDriver, display].every(existsSync),
} as const;
export type Engine = keyof typeof engines;

/** End of the names of tests that need an engine. */
export function whySkipped(engine: Engine): string {
  return skipped(
    !engines[engine],
    `${engine} is not installed; Debian: firefox-esr; webkit2gtk-driver, xvfb`,
  );
}

/** Opens a page in a browser of its own. */
export async function openPage(engine: Engine, url: string): Promise<EnginePage> {
  if (engine === "chromium") return openIn(await launchBrowser(), url);
  if (engine === "firefox")
    return openIn(await launch({ browser: "firefox", executablePath: firefox! }), url);
  return openInWebKit(url);
}

async function openIn(browser: Browser, url: string): Promise<EnginePage> {
  const page = await browser.newPage();
  await page.goto(url);
  return {
    evaluate: async <T>(expression: string) => (await page.evaluate(expression)) as T,
    close: () => browser.close(),
  };
}

/** Opens WebKit's own small browser, on a display in memory, by WebDriver (W3C). */
async function openInWebKit(url: string): Promise<EnginePage> {
  const port = 20_000 + (process.pid % 20_000);
  const home = await mkdtemp(join(tmpdir(), "manyhands-webkit-"));
  const env = {
    ...process.env,
    HOME: home,
    // WebKit's sandbox takes rights that containers do not give.
    WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1",
  };
  const driver = spawn(display, ["-a", webKitDriver, `--port=${port}`], {
    env,
    stdio: "ignore",
    detached: true,
  });
  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const { value } = (await response.json()) as { value: unknown };
    if (!response.ok) throw new Error(`WebDriver ${path}: ${JSON.stringify(value)}`);
    return value;
  };
  await until(() => call("GET", "/status").catch(() => undefined));
  const options = { "webkitgtk:browserOptions": { binary: webKit, args: ["--automation"] } };
  const made = await call("POST", "/session", { capabilities: { alwaysMatch: options } });
  const session = `/session/${(made as { sessionId: string }).sessionId}`;
  await call("POST", `${session}/timeouts`, { script: 60_000 });
  await call("POST", `${session}/url`, { url });
  return {
    async evaluate<T>(expression: string) {
      const script = `const done = arguments[arguments.length - 1];
        (async () => ${expression})().then((value) => done({ value }), (error) => done({ error: String(error) }));`;
      const found = await call("POST", `${session}/execute/async`, { script, args: [] });
      const { value, error } = found as { value: T; error?: string };
      if (error !== undefined) throw new Error(error);
      return value;
    },
    async close() {
      await call("DELETE", session);
      process.kill(-driver.pid!, "SIGTERM");
      await once(driver, "exit");
      await rm(home, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
