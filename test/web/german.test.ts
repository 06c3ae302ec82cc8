import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { signIn } from "../support/admin-page.ts";
import { launchBrowser } from "../support/browser.ts";
import { submitJob, submitUnverified } from "../support/jobs.ts";
import { englishWords } from "../support/languages.ts";
import { click, openPage, press, untilText } from "../support/pages.ts";
import { startTestServer } from "../support/server.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

/** Words of the page, shown and for screen readers, without code, names, and what is marked as English. */
const saidOnPage = `[...document.body.querySelectorAll("*")]
  .filter((element) => !element.closest("[lang=en], code, pre, script, style, noscript"))
  .flatMap((element) => [
    ...[...element.childNodes].filter(({ nodeType }) => nodeType === 3).map(({ data }) => data),
    ...["aria-label", "placeholder", "title", "alt", "data-label"].map((name) => element.getAttribute(name) ?? ""),
  ])
  .map((text) => text.trim()).filter((text) => text !== "")`;

/** No English is left, and the longer words fit. */
async function expectGerman(page: Page): Promise<void> {
  const said = (await page.evaluate(saidOnPage)) as string[];
  expect(said.length).toBeGreaterThan(3);
  expect(said.filter((text) => englishWords.test(text))).toEqual([]);
  for (const width of [390, 1280]) {
    await page.setViewport({ width, height: 844 });
    await expect.poll(() => page.evaluate("document.documentElement.scrollWidth")).toBe(width);
  }
}

/** Files of the page that the browser loaded. */
const scripts = `performance.getEntriesByType("resource").map(({ name }) => name).filter((name) => name.endsWith(".js"))`;

describe("[TEXTS-1] the admin page in a German browser", () => {
  it("speaks German everywhere, and counts as Germans do", async () => {
    const server = await startTestServer();
    const page = await openPage(browser, server.adminUrl, "de-CH");
    await untilText(page, /Anmelden/);
    expect(await page.evaluate("[document.documentElement.lang, document.title]")).toEqual([
      "de",
      "Manyhands: Verwaltung",
    ]);
    await expectGerman(page);
    await signIn(page, server.token);
    await untilText(page, /Noch keine Aufträge[\s\S]*Noch rechnet niemand/);
    await expectGerman(page);

    const kernel =
      "export default (x, ctx) => { ctx.log('Bild ' + x); if (x > 0) throw new Error('leer'); return x; }";
    const id = await submitUnverified(server, kernel, [0, 1, 2], {
      name: "Teilchen",
      maxAttempts: 1,
      failFast: false,
    });
    const waiting = await submitJob(
      server,
      "export default (x) => x",
      Array.from({ length: 1_500 }, (_, x) => x),
      { name: "Graphik", requires: { webgpu: true } },
    );
    await openPage(browser, `${server.url}/?auto=1`);
    await page.bringToFront();
    await untilText(page, /2 Aufträge[\s\S]*0 von 1\.500 fertig/);
    await press(page, "2 gescheitert");
    await untilText(page, /Fehler im Kernel · 1 Versuch[\s\S]*leer/);
    await page.waitForSelector(".reasons");
    await untilText(page, /[1-9]\d* Versuche? in/);
    await page.focus(".stream canvas");
    await untilText(page, /[1-9]\d* Versuche? in/);
    await page.keyboard.press("]");
    await untilText(page, /Teilchen, Aufgabe \d[\s\S]*Slot 1[\s\S]*\d\d:\d\d:\d\d,\d{3}/);
    await page.keyboard.press("Escape");
    await expectGerman(page);
    await click(page, "Abbrechen");
    await untilText(page, /„Graphik“ abbrechen\?[\s\S]*1\.500 Aufgaben/);
    await click(page, "Nein, so lassen");

    await page.goto(`${server.adminUrl}#/jobs/${id}`);
    await untilText(page, /2 gescheiterte Aufgaben[\s\S]*Langsamste Aufgaben[\s\S]*Protokoll/);
    await expectGerman(page);
    await page.goto(`${server.adminUrl}#/jobs/${waiting}`);
    await untilText(page, /wird gerade nichts gerechnet/);
    await expectGerman(page);
    await page.goto(`${server.adminUrl}#/jobs/${id}/tasks/1`);
    await untilText(page, /Aufgabe 1[\s\S]*gescheitert[\s\S]*Versuche/);
    await expectGerman(page);

    await page.goto(`${server.adminUrl}#/access`);
    await page.waitForSelector("input[name=name]");
    await page.type("input[name=name]", "Raum 12");
    await click(page, "Erstellen");
    await untilText(page, /Nur dieses eine Mal zu sehen[\s\S]*Raum 12[\s\S]*Widerrufen/);
    await untilText(page, /Was Administratoren getan haben[\s\S]*\d{1,2}\.\d{1,2}\.\d{4}, \d{2}:\d{2}:\d{2}/);
    await expectGerman(page);
  });

  it("marks as English what the server says", async () => {
    const server = await startTestServer();
    const page = await openPage(browser, server.adminUrl, "de");
    await page.waitForSelector("input[name=token]");
    await page.type("input[name=token]", "wrong\n");
    await untilText(page, /wrong, revoked or expired/);
    await expectGerman(page);
  });
});

describe("[TEXTS-1] the admin page in other browsers", () => {
  it("speaks English, and loads nothing of another language", async () => {
    const server = await startTestServer();
    const loaded = async (language: string): Promise<number> => {
      const page = await openPage(browser, server.adminUrl, language);
      await page.waitForSelector("input[name=token]");
      expect(await page.evaluate("document.documentElement.lang")).toBe(language === "de" ? "de" : "en");
      return ((await page.evaluate(scripts)) as string[]).length;
    };
    const french = await loaded("fr-FR");
    expect(await loaded("en-GB")).toBe(french);
    expect(await loaded("de")).toBe(french + 1);
  });
});
