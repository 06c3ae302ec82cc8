import { spawn } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { launch } from "puppeteer";
import { until } from "./processes.ts";

/** A page of a browser that is not Chromium. */
export interface OtherPage {
  /** The value of an expression, awaited; JSON only. */
  evaluate<T>(expression: string): Promise<T>;
  close(): Promise<void>;
}

/** Opens a page; undefined where the browser is not installed. */
interface OtherBrowser {
  readonly name: string;
  readonly open: ((url: string) => Promise<OtherPage>) | undefined;
}

const firefox = ["/usr/bin/firefox-esr", "/usr/bin/firefox"].find(existsSync);
const [miniBrowser] = globSync("/usr/lib/*/webkit2gtk-4.1/MiniBrowser");
const driver = "/usr/bin/WebKitWebDriver";
/** MiniBrowser has no headless mode. */
const hasDisplay = ["DISPLAY", "WAYLAND_DISPLAY", "BROADWAY_DISPLAY"].some((name) => process.env[name]);

/** Debian's Firefox (`firefox-esr`), and its WebKit (`webkit2gtk-driver`) where there is a display. */
export const otherBrowsers: readonly OtherBrowser[] = [
  { name: "Firefox", open: firefox === undefined ? undefined : (url) => openFirefox(firefox, url) },
  {
    name: "WebKit",
    open: miniBrowser && existsSync(driver) && hasDisplay ? (url) => openWebKit(miniBrowser, url) : undefined,
  },
];

async function openFirefox(executablePath: string, url: string): Promise<OtherPage> {
  const browser = await launch({ browser: "firefox", executablePath });
  const page = await browser.newPage();
  await page.goto(url);
  return {
    evaluate: async <T>(expression: string) => (await page.evaluate(expression)) as T,
    close: () => browser.close(),
  };
}

/** Speaks WebDriver (W3C) with WebKit's driver. */
async function openWebKit(binary: string, url: string): Promise<OtherPage> {
  const port = 20_000 + (process.pid % 20_000);
  const process_ = spawn(driver, [`--port=${port}`], { stdio: "ignore" });
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
  const options = { "webkitgtk:browserOptions": { binary, args: ["--automation"] } };
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
      process_.kill();
    },
  };
}
