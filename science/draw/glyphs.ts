import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PNG } from "pngjs";

/** Rasterised fonts: 20 px, 26 px bold, 15 px. */
export type FontName = "text" | "title" | "small";

/** Place of a character in the sheet, and advance of the pen. */
type Glyph = readonly [x: number, y: number, width: number, advance: number];

interface Font {
  readonly height: number;
  readonly baseline: number;
  readonly glyphs: Readonly<Record<string, Glyph>>;
}

/** The sheet of scripts/make-glyphs.ts: its red channel has the coverage of each character. */
interface GlyphSheet {
  readonly image: PNG;
  readonly fonts: Readonly<Record<FontName, Font>>;
}

/** A character's cell in the sheet begins this far left of its origin, with room for slanted strokes. */
export const glyphMargin = 2;

let sheet: GlyphSheet | undefined;

/** The sheet, loaded at its first use. */
export function glyphSheet(): GlyphSheet {
  sheet ??= {
    image: PNG.sync.read(readFileSync(join(import.meta.dirname, "glyphs.png"))),
    fonts: JSON.parse(readFileSync(join(import.meta.dirname, "glyphs.json"), "utf8")) as GlyphSheet["fonts"],
  };
  return sheet;
}
