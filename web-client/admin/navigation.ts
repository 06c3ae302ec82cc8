import { signal } from "@preact/signals";
import { hashOf, nothingAsked, readPlace, type Place } from "./place.ts";

export const place = signal<Place>({ at: "overview", question: nothingAsked });

/** Follows the address from now on. */
export function followAddress(): void {
  const read = (): void => void (place.value = readPlace(location.hash));
  read();
  addEventListener("hashchange", read);
}

/** Shows a place; `replace`: going back skips the one before. */
export function go(to: Place, replace = false): void {
  place.value = to;
  const address = `${location.pathname}${location.search}${hashOf(to)}`;
  if (replace) history.replaceState(history.state, "", address);
  else history.pushState("here", "", address);
}

/** Whether the person came to the shown place from another one of this page, so that going back stays here. */
export function cameFromHere(): boolean {
  return history.state === "here";
}
