import { page as english, type PageTexts } from "./en/page.ts";

/** Texts in the language of the page. */
export let page = english;

export function speak(texts: PageTexts): void {
  page = texts;
}
