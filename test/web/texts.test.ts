import { readFileSync } from "node:fs";
import { glob } from "node:fs/promises";
import { parseSync } from "vite";
import { afterEach, describe, expect, it, test } from "vitest";
import { publicPage as publicGerman } from "../../server/http/texts/de/public-page.ts";
import { publicPage as publicEnglish } from "../../server/http/texts/en/public-page.ts";
import { texts as adminGerman } from "../../web-client/admin/texts/de/texts.ts";
import { texts as adminEnglish } from "../../web-client/admin/texts/en/texts.ts";
import { more as moreGerman } from "../../web-client/volunteer/texts/de/more.ts";
import { page as pageGerman } from "../../web-client/volunteer/texts/de/page.ts";
import { more as moreEnglish } from "../../web-client/volunteer/texts/en/more.ts";
import { page as pageEnglish } from "../../web-client/volunteer/texts/en/page.ts";
import {
  formatBrief,
  formatBytes,
  formatClock,
  formatCount,
  formatDate,
  formatIn,
  formatRate,
} from "../../web-client/ui/format.ts";
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

describe("[TEXTS-1] numbers and dates", () => {
  afterEach(() => formatIn("en"));
  const at = new Date(2026, 10, 3, 4, 5, 6, 78).getTime();

  it.each([
    ["en", ["1,234,567", "1.5 KiB", "< 0.01/s", "2.5 ms", "04:05:06.078"]],
    ["de", ["1.234.567", "1,5 KiB", "< 0,01/s", "2,5 ms", "04:05:06,078"]],
  ])("are written as people of the language %s write them", (language, written) => {
    formatIn(language);
    expect([
      formatCount(1_234_567),
      formatBytes(1_536),
      formatRate(0.001),
      formatBrief(2.5),
      formatClock(at, true),
    ]).toEqual(written);
    if (language === "de") expect(formatDate(at)).toBe("3.11.2026, 04:05:06");
  });
});

/** Names, which are the same in every language. */
const names = new Set(["Manyhands", "NDJSON", "MessagePack"]);
/** Attributes and properties that a person reads or hears. */
const read = new Set([
  "alt",
  "aria-label",
  "data-label",
  "heading",
  "label",
  "placeholder",
  "text",
  "title",
  "verb",
]);

/** Words that a component says by itself. */
function ownWords(file: string): string[] {
  const found: string[] = [];
  const look = (node: unknown, isRead: boolean): void => {
    if (Array.isArray(node)) return node.forEach((each) => look(each, isRead));
    if (typeof node !== "object" || node === null) return;
    const { type, value, name } = node as { type?: string; value?: unknown; name?: { name?: string } };
    const text = typeof value === "string" ? value.trim() : "";
    if ((type === "JSXText" || (type === "Literal" && isRead)) && /\p{L}{2}/u.test(text)) found.push(text);
    const quasi = (value as { cooked?: string } | null | undefined)?.cooked ?? "";
    if (type === "TemplateElement" && isRead && /\p{L}{2}/u.test(quasi)) found.push(quasi);
    const isWords =
      type === "JSXAttribute"
        ? read.has(name?.name ?? "")
        : isRead && type !== "CallExpression" && type !== "BinaryExpression";
    for (const inner of Object.values(node)) look(inner, isWords);
  };
  look(parseSync(file, readFileSync(file, "utf8")).program, false);
  return found.filter((text) => !names.has(text));
}

test("[TEXTS-1] the admin page's components have no words of their own", async () => {
  const own: Record<string, string[]> = {};
  for await (const file of glob("web-client/{admin,ui}/**/*.tsx")) {
    const words = ownWords(file);
    if (words.length > 0) own[file] = words;
  }
  expect(own).toEqual({});
});
