import type { Page } from "puppeteer";
import { describe, expect, it } from "vitest";
import { callHarness, labHost, openHarness } from "../support/browser.ts";
import { useHarnessSite } from "../support/harness-site.ts";

const site = useHarnessSite();

async function tabs(host: string, count: number): Promise<Page[]> {
  const context = await site.browser.createBrowserContext();
  const pages: Page[] = [];
  for (let i = 0; i < count; i++) {
    const page = await context.newPage();
    await openHarness(page, site.server.port, host);
    pages.push(page);
  }
  return pages;
}

const states = (page: Page): Promise<string[]> => callHarness(page, "electionStates");
// The wait polls by a timer, because the browser paints no frames of a background tab.
const untilElected = (page: Page): Promise<unknown> =>
  page.waitForFunction("window.harness.electionStates?.().at(-1) === 'elected'", { polling: 50 });
// Chromium forwards a lock request after a check of its own, so a later request of another tab may overtake it.
const untilOneWaits = (page: Page): Promise<unknown> =>
  page.waitForFunction(
    "!navigator.locks || navigator.locks.query().then(({ pending }) => pending.length === 1)",
    {
      polling: 50,
    },
  );

// localhost is a secure context and has Web Locks; the lab's plain HTTP has only the shared worker.
describe.each(["localhost", labHost])("election of the computing tab on %s", (host) => {
  it("elects one tab, and the next when it closes", async () => {
    const [first, second, third] = (await tabs(host, 3)) as [Page, Page, Page];
    await callHarness(first, "elect");
    await untilElected(first);
    await callHarness(second, "elect");
    await untilOneWaits(second);
    await callHarness(third, "elect");
    expect([await states(second), await states(third)]).toEqual([[], []]);
    await first.close();
    await untilElected(second);
    expect(await states(third)).toEqual([]);
    await callHarness(second, "leaveElection");
    await untilElected(third);
    expect(await states(second)).toEqual(["elected"]);
  });

  it("gives a reloaded tab its turn behind those that wait", async () => {
    const [first, second] = (await tabs(host, 2)) as [Page, Page];
    await callHarness(first, "elect");
    await untilElected(first);
    await callHarness(second, "elect");
    await openHarness(first, site.server.port, host);
    await untilElected(second);
    await callHarness(first, "elect");
    expect(await states(first)).toEqual([]);
    await second.close();
    await untilElected(first);
  });

  it("finds out that the elected tab crashed", async () => {
    const [first, second] = (await tabs(host, 2)) as [Page, Page];
    await callHarness(first, "elect");
    await untilElected(first);
    await callHarness(second, "elect");
    // The shared worker crashes here with the tab that started it, whose process it shares.
    await crash(first);
    await untilElected(second);
  });

  it("keeps the elected tab when the one that crashed only waited", async () => {
    const [first, second, third] = (await tabs(host, 3)) as [Page, Page, Page];
    await callHarness(first, "elect");
    await untilElected(first);
    await callHarness(second, "elect");
    await crash(second);
    await callHarness(third, "elect");
    await third.close();
    expect(await states(first)).toEqual(["elected"]);
  });

  it("settles on the tab that computed already when the arbiter died with another", async () => {
    const [starter, first, second] = (await tabs(host, 3)) as [Page, Page, Page];
    await callHarness(starter, "elect");
    await untilElected(starter);
    await callHarness(first, "elect");
    await callHarness(starter, "leaveElection");
    await untilElected(first);
    await crash(starter);
    await callHarness(second, "elect");
    await second.waitForFunction("window.harness.electionStates().at(-1) !== 'elected'", { polling: 50 });
    expect((await states(first)).at(-1)).toBe("elected");
  });
});

async function crash(page: Page): Promise<void> {
  const session = await page.createCDPSession();
  const crashed = new Promise((resolve) => page.once("error", resolve));
  session.send("Page.crash").catch(() => undefined);
  await crashed;
}
