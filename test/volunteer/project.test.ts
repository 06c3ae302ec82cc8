import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { withProject } from "../../server/http/project-pages.ts";
import { accentsOf, contrastOf } from "../../server/project-colours.ts";
import { readProject } from "../../server/project.ts";
import { temporaryDirectory } from "../support/processes.ts";

async function projectFile(content: unknown, picture?: Uint8Array): Promise<string> {
  const directory = await temporaryDirectory();
  if (picture) await writeFile(join(directory, "picture"), picture);
  const file = join(directory, "project.json");
  await writeFile(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
}

const least = { title: "Ribosomes", text: "We look at ribosomes." };
const png = Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), Buffer.alloc(40)]);

describe("[VOLUNTEER-1] a project file", () => {
  it("has a title and a text, and may have a link, a picture and a colour", async () => {
    expect(readProject(await projectFile(least))).toMatchObject(least);
    const all = { ...least, link: "https://example.org", picture: "picture", colour: "#ffcc00" };
    expect(readProject(await projectFile(all, png))).toMatchObject({
      link: "https://example.org",
      picture: { type: "image/png", bytes: png },
    });
  });

  it.each<[string, unknown, RegExp]>([
    ["no JSON", "{", /no JSON/],
    ["no title", { text: "x" }, /title/],
    ["a long title", { ...least, title: "x".repeat(81) }, /title: expected at most 80/],
    ["lines", { ...least, text: "a\nb" }, /text: expected one line/],
    [
      "a script for a link",
      { ...least, link: "javascript:alert(1)" },
      /link: expected an address that begins/,
    ],
    ["a colour by name", { ...least, colour: "red" }, /colour: expected a colour such as/],
    ["something else", { ...least, logo: "x" }, /logo/],
    ["a picture that is not there", { ...least, picture: "nothing" }, /nothing cannot be read/],
  ])("is refused with %s", async (_what, content, message) => {
    const file = await projectFile(content);
    expect(() => readProject(file)).toThrow(message);
  });

  it("is refused with a picture that is none, or too large", async () => {
    const named = { ...least, picture: "picture" };
    const none = await projectFile(named, Buffer.from("<html><script>alert(1)</script></html>"));
    expect(() => readProject(none)).toThrow(/expected PNG, JPEG, WebP or SVG/);
    const large = await projectFile(named, Buffer.concat([png, Buffer.alloc(600_000)]));
    expect(() => readProject(large)).toThrow(/more than 524288 bytes/);
  });
});

describe("[VOLUNTEER-1] the colours of a project", () => {
  it("can be read on both pages, whatever the colour is", () => {
    for (let red = 0; red < 256; red += 51)
      for (let green = 0; green < 256; green += 51)
        for (let blue = 0; blue < 256; blue += 51) {
          const hex = `#${[red, green, blue].map((part) => part.toString(16).padStart(2, "0")).join("")}`;
          const { light, dark } = accentsOf(hex);
          for (const [{ accent, strong, on }, ground] of [
            [light, "#eceff3"],
            [dark, "#242e3a"],
          ] as const) {
            expect(contrastOf(accent, ground)).toBeGreaterThanOrEqual(4.5);
            expect(contrastOf(on, accent)).toBeGreaterThanOrEqual(4.5);
            expect(contrastOf(on, strong)).toBeGreaterThanOrEqual(4.5);
          }
        }
  });
});

describe("[VOLUNTEER-1] a page with a project", () => {
  it("has its text as data that ends no element", () => {
    const html = withProject(
      '<head><meta name="description" content="x"><title>Manyhands</title></head><body></body>',
      {
        title: '</script><script>"$&',
        text: "a < b & c",
        link: undefined,
        picture: undefined,
        accents: undefined,
      },
    );
    expect(html.match(/<\/script>/g)).toHaveLength(1);
    expect(html).toContain("<title>&#60;/script&#62;&#60;script&#62;&#34;$&#38;</title>");
    const [, data = ""] = /id="project">(.*?)<\/script>/.exec(html) ?? [];
    expect(JSON.parse(data)).toEqual({ title: '</script><script>"$&', text: "a < b & c" });
  });
});
