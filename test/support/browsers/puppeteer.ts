import { launch, type Browser, type Page } from "puppeteer";
import { labHost } from "../../../scripts/lab-host.ts";
import { launchBrowser } from "../../../scripts/launch-browser.ts";
import type { LaunchOptions, Tab, TestBrowser } from "./browser.ts";
import { programs } from "./engines.ts";

/** Chromium, whose sandboxes have a process of their own, as users start it. */
export async function launchChromium(options: LaunchOptions): Promise<TestBrowser> {
  const args = [
    ...(options.private ? ["--incognito"] : []),
    ...(options.language ? [`--accept-lang=${options.language}`] : []),
  ];
  const browser = await launchBrowser({ isolateSandboxes: true, args });
  return testBrowser(browser, async (page) => {
    const value = options.dark ? "dark" : "light";
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value }]);
  });
}

/** Firefox, by WebDriver BiDi. */
export async function launchFirefox(options: LaunchOptions): Promise<TestBrowser> {
  const browser = await launch({
    browser: "firefox",
    executablePath: programs.firefox!,
    extraPrefsFirefox: {
      "network.dns.localDomains": labHost,
      "browser.privatebrowsing.autostart": options.private ?? false,
      "layout.css.prefers-color-scheme.content-override": options.dark ? 0 : 1,
      ...(options.language && { "intl.accept_languages": options.language }),
    },
  });
  return testBrowser(browser);
}

async function testBrowser(browser: Browser, prepare?: (page: Page) => Promise<void>): Promise<TestBrowser> {
  return {
    version: await browser.version(),
    async newTab() {
      const page = await browser.newPage();
      await prepare?.(page);
      return tabOf(page);
    },
    close: () => browser.close(),
  };
}

function tabOf(page: Page): Tab {
  const find = (selector: string): ReturnType<Page["locator"]> =>
    page.locator(selector.startsWith("//") ? `::-p-xpath(${selector})` : selector);
  return {
    open: async (url) => void (await page.goto(url)),
    evaluate: async <T>(expression: string) => (await page.evaluate(expression)) as T,
    click: (selector) => find(selector).click(),
    async type(selector, text) {
      await using element = await find(selector).waitHandle();
      await element.type(text);
    },
    text: async () => (await page.evaluate("document.body.innerText")) as string,
    show: () => page.bringToFront(),
    resize: (width, height) => page.setViewport({ width, height }),
    screenshot: async (path) => void (await page.screenshot({ path: path })),
    close: async () => void (page.isClosed() || (await page.close())),
  };
}
