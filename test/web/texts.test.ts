import { describe, expect, it } from "vitest";
import { publicPage as publicGerman } from "../../server/http/texts/de/public-page.ts";
import { publicPage as publicEnglish } from "../../server/http/texts/en/public-page.ts";
import { texts as adminGerman } from "../../web-client/admin/texts/de/texts.ts";
import { texts as adminEnglish } from "../../web-client/admin/texts/en/texts.ts";
import { more as moreGerman } from "../../web-client/volunteer/texts/de/more.ts";
import { page as pageGerman } from "../../web-client/volunteer/texts/de/page.ts";
import { more as moreEnglish } from "../../web-client/volunteer/texts/en/more.ts";
import { page as pageEnglish } from "../../web-client/volunteer/texts/en/page.ts";
import { englishWords } from "../support/languages.ts";

/** Texts by their place: what functions say of none, of one and of several. */
function saidBy(texts: unknown, place = ""): Map<string, string> {
  if (typeof texts === "string") return new Map([[place, texts]]);
  if (typeof texts === "function")
    return new Map(
      [0, 1, 3].map((count) => [
        `${place}(${count})`,
        String(
          Reflect.apply(
            texts,
            undefined,
            Array.from({ length: texts.length }, () => count),
          ),
        ),
      ]),
    );
  return new Map(
    Object.entries(texts as object).flatMap(([name, inner]) => [
      ...saidBy(inner, place === "" ? name : `${place}.${name}`),
    ]),
  );
}

/** Words that both languages have, and what has no words. */
const shared = [
  "",
  "Administrator",
  "Blobs",
  "Client",
  "Clients",
  "in",
  "Name",
  "Pause",
  "Server",
  "Slots",
  "Team",
  "Token",
  "Version",
];

describe.each([
  ["the volunteer page's first screen", pageEnglish, pageGerman],
  ["the volunteer page", moreEnglish, moreGerman],
  ["the admin page", adminEnglish, adminGerman],
  ["the public page", publicEnglish, publicGerman],
])("[TEXTS-1] texts of %s", (_page, english, german) => {
  const [inEnglish, inGerman] = [saidBy(english), saidBy(german)];

  it("have the same places in both languages", () => {
    expect([...inGerman.keys()].sort()).toEqual([...inEnglish.keys()].sort());
  });

  it("differ between the languages, but for words that both have", () => {
    const same = [...inGerman].filter(
      ([place, text]) =>
        text === inEnglish.get(place) && !shared.includes(text.replaceAll(/[^\p{L}]+/gu, " ").trim()),
    );
    expect(same).toEqual([]);
  });

  it("have no English sentence in German", () => {
    const left = [...inGerman].filter(([, text]) => englishWords.test(text.replaceAll(/`[^`]*`/g, "")));
    expect(left).toEqual([]);
  });
});
