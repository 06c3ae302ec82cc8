import type { Browser } from "puppeteer";
import { afterAll, afterEach, beforeAll } from "vitest";
import { launchBrowser } from "./browser.ts";
import { startStaticServer, type StaticServer } from "./static-server.ts";
import { buildWeb, type WebBuild } from "./web-build.ts";

/** The pages with the harness of test/web, served. */
interface HarnessPages {
  readonly server: StaticServer;
  /** Where the pages are. */
  readonly build: WebBuild;
}

interface HarnessSite extends HarnessPages {
  readonly browser: Browser;
}

/** Builds and serves the pages for all tests of a file. */
export function useHarnessPages(): HarnessPages {
  const pages = {} as { server: StaticServer; build: WebBuild };
  beforeAll(async () => {
    pages.build = await buildWeb("harness.page.ts");
    pages.server = await startStaticServer(pages.build.directory);
  });
  afterAll(async () => {
    await pages.server?.close();
    await pages.build?.dispose();
  });
  return pages;
}

/**
 * The same, opened in Chromium; browser contexts of a test end with the test.
 * @param options - of `launchBrowser`
 */
export function useHarnessSite(options?: Parameters<typeof launchBrowser>[0]): HarnessSite {
  const site = useHarnessPages() as HarnessPages & { browser: Browser };
  beforeAll(async () => {
    site.browser = await launchBrowser(options);
  });
  afterEach(async () => {
    // Browsers put several of many open pages into one process.
    for (const context of site.browser.browserContexts().slice(1)) await context.close();
  });
  afterAll(() => site.browser?.close());
  return site;
}
