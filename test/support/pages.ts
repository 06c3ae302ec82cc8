import type { Browser, Page } from "puppeteer";
import { onTestFinished } from "vitest";
import { button } from "./browsers/browser.ts";

/** Opens an address in a profile of its own, for the time of a test. @param language - of a browser that speaks no English */
export async function openPage(browser: Browser, url: string, language?: string): Promise<Page> {
  const page = await newPage(browser);
  if (language)
    await page.evaluateOnNewDocument(
      `Object.defineProperty(navigator, "language", { get: () => ${JSON.stringify(language)} })`,
    );
  await page.goto(url);
  return page;
}

/** An empty page in a profile of its own, for the time of a test. */
export async function newPage(browser: Browser): Promise<Page> {
  const context = await browser.createBrowserContext();
  onTestFinished(() => context.close());
  return context.newPage();
}

/** Keeps settings of the volunteer page, as its controls do. Other tabs of the profile hear of it. */
export async function keepSettings(page: Page, settings: object): Promise<void> {
  await page.evaluate(
    `localStorage.setItem("manyhands.settings", ${JSON.stringify(JSON.stringify(settings))})`,
  );
}

/** Waits until a page shows a text. Polls by a timer, because the browser paints no frames of a background tab. */
export async function untilText(page: Page, text: RegExp): Promise<void> {
  await page.waitForFunction(`${text}.test(document.body.innerText)`, { polling: 50 });
}

/** Clicks a button with the mouse, which waits for frames: the page is in front. */
export function click(page: Page, label: string): Promise<void> {
  return page.locator(`::-p-xpath(${button(label)})`).click();
}

/** Presses a button of any page, as soon as it can be pressed. The mouse would wait for frames, which a background tab has none of. */
export async function press(page: Page, label: string): Promise<void> {
  const found = `[...document.querySelectorAll("button")].find((button) =>
    button.textContent.replace(/\\s+/g, " ").trim() === ${JSON.stringify(label)} && !button.disabled && button.checkVisibility())`;
  await page.waitForFunction(`${found} !== undefined`, { polling: 50 });
  await page.evaluate(`${found}.click()`);
}
