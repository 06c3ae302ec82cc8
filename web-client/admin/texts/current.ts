import { formatIn } from "../../ui/format.ts";
import { texts as english, type Texts } from "./en/texts.ts";

/** Texts in the language of the page (SPEC.md [TEXTS-1]). */
export let texts: Texts = english;

/** Speaks the language of the browser: English for those that have no texts here, or whose texts cannot be loaded. */
export async function speak(): Promise<void> {
  if (/^de\b/.test(navigator.language))
    texts = await import("./de/texts.ts").then(
      (german) => german.texts,
      () => english,
    );
  formatIn(texts.language);
  document.documentElement.lang = texts.language;
  document.title = texts.frame.title;
}
