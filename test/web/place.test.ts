import { describe, expect, it } from "vitest";
import { hashOf, noClientsAsked, nothingAsked, readPlace, type Place } from "../../web-client/admin/place.ts";

const places: Place[] = [
  { at: "overview", question: nothingAsked, clients: noClientsAsked },
  {
    at: "overview",
    question: { search: "night & day #7", state: "failing", sort: "name", cursor: "12.Im5pZ2h0Ig", page: 3 },
    clients: noClientsAsked,
  },
  {
    at: "overview",
    question: nothingAsked,
    clients: { search: "room 12 & 13", state: "idle", kind: "node", sort: "done", order: "asc", from: 200 },
  },
  { at: "job", job: "j_abcdefghij234567" },
  { at: "task", job: "j_abcdefghij234567", index: 1_000_000 },
  { at: "access" },
];

describe("[LIST-1] addresses of the status page", () => {
  it.each(places)("say what is shown: $at", (place) => {
    expect(readPlace(hashOf(place))).toEqual(place);
  });

  it.each([
    "",
    "#",
    "#/",
    "#/jobs/nonsense",
    "#/?state=odd&sort=odd&page=-3",
    "#/?client-state=odd&client-from=-1",
    "#/?page=9",
  ])("that cannot be read are the overview: %s", (hash) => expect(readPlace(hash)).toEqual(places[0]));
});
