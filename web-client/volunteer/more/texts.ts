import { page } from "../texts/current.ts";
import { more as english, type MoreTexts } from "../texts/en/more.ts";

/** Further texts in the language of the page. */
export let more = english;

/** Takes the further texts of the language that the page speaks. */
export async function loadTexts(): Promise<void> {
  if (page.language !== "de") return;
  more = await import("../texts/de/more.ts").then(
    (german): MoreTexts => german.more,
    () => english,
  );
}

export function formatCount(count: number): string {
  return new Intl.NumberFormat(page.language).format(count);
}

/** 0.137 → "14 %"; "100 %" only for all. */
export function formatPercent(share: number): string {
  const percent = share >= 1 ? 100 : Math.min(99, Math.round(share * 100));
  return `${percent} %`;
}
