import { signal } from "@preact/signals";
import { hashOf, noClientsAsked, nothingAsked, readPlace, type Place } from "./place.ts";

export const place = signal<Place>({ at: "overview", question: nothingAsked, clients: noClientsAsked });

/** Follows the address from now on. */
export function followAddress(): void {
  const read = (): void => void (place.value = readPlace(location.hash));
  read();
  addEventListener("hashchange", read);
}

/** Shows the overview with another question about jobs or clients; `replace`: going back skips the one before. */
export function goToOverview(changed: Partial<Extract<Place, { at: "overview" }>>, replace = false): void {
  const { value } = place;
  const asked =
    value.at === "overview" ? value : { at: value.at, question: nothingAsked, clients: noClientsAsked };
  go({ ...asked, ...changed, at: "overview" }, replace);
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
