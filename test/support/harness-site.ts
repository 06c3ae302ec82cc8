import type { Browser } from "puppeteer";
import { afterAll, afterEach, beforeAll } from "vitest";
import { launchBrowser } from "./browser.ts";
import { startStaticServer, type StaticServer } from "./static-server.ts";
import { buildWeb, type WebBuild } from "./web-build.ts";

/** The pages with the harness of test/web, served to a browser. */
interface HarnessSite {
  readonly browser: Browser;
  readonly server: StaticServer;
}

/**
 * Builds, serves and opens the pages for all tests of a file; browser contexts of a test end with the test.
 * @param options - of `launchBrowser`
 */
export function useHarnessSite(options?: Parameters<typeof launchBrowser>[0]): HarnessSite {
  const site = {} as { browser: Browser; server: StaticServer; build: WebBuild };
  beforeAll(async () => {
    site.build = await buildWeb("harness.page.ts");
    site.server = await startStaticServer(site.build.directory);
    site.browser = await launchBrowser(options);
  });
  afterEach(async () => {
    // Browsers put several of many open pages into one process.
    for (const context of site.browser.browserContexts().slice(1)) await context.close();
  });
  afterAll(async () => {
    await site.browser?.close();
    await site.server?.close();
    await site.build?.dispose();
  });
  return site;
}
