import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PNG } from "pngjs";

/** Which of the rasterised fonts: 20 px, 26 px bold, 15 px. */
export type FontName = "text" | "title" | "small";

/** Where a character lies in the sheet, and how far the pen moves on. */
type Glyph = readonly [x: number, y: number, width: number, advance: number];

interface Font {
  readonly height: number;
  readonly baseline: number;
  readonly glyphs: Readonly<Record<string, Glyph>>;
}

/** The sheet that scripts/make-glyphs.ts made: coverage of a character in its red channel. */
interface GlyphSheet {
  readonly image: PNG;
  readonly fonts: Readonly<Record<FontName, Font>>;
}

/** Characters are drawn this far left of their place in the sheet, where letters that lean out have room. */
export const glyphMargin = 2;

let sheet: GlyphSheet | undefined;

/** The sheet, read at the first use. */
export function glyphSheet(): GlyphSheet {
  sheet ??= {
    image: PNG.sync.read(readFileSync(join(import.meta.dirname, "glyphs.png"))),
    fonts: JSON.parse(readFileSync(join(import.meta.dirname, "glyphs.json"), "utf8")) as GlyphSheet["fonts"],
  };
  return sheet;
}
