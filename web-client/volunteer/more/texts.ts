import { formatIn } from "../../ui/format.ts";
import { page } from "../texts/current.ts";
import { more as english, type MoreTexts } from "../texts/en/more.ts";

/** Further texts in the language of the page. */
export let more = english;

/** Takes the further texts of the language that the page speaks. */
export async function loadTexts(): Promise<void> {
  formatIn(page.language);
  if (page.language !== "de") return;
  more = await import("../texts/de/more.ts").then(
    (german): MoreTexts => german.more,
    () => english,
  );
}
