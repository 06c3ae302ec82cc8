/**
 * Makes glyphs.png and glyphs.json of science/draw/: DejaVu Sans (Bitstream Vera licence), rasterised by a browser, so that
 * the plots have proper letters without a font library. Run by hand when a character is missing:
 * `node scripts/make-glyphs.ts && npm run format`.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { launchBrowser } from "./launch-browser.ts";

const outDirectory = join(import.meta.dirname, "..", "science", "draw");
const characters = `${String.fromCharCode(...Array.from({ length: 95 }, (_, i) => 32 + i))}Å°×·–−²³ψβ½≤≥→…`;
const styles = { text: "20px 'DejaVu Sans'", title: "bold 26px 'DejaVu Sans'", small: "15px 'DejaVu Sans'" };

const program = `(characters, styles) => {
  const canvas = document.createElement("canvas");
  canvas.width = 1400;
  canvas.height = 180;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "black";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = "white";
  pen.textBaseline = "alphabetic";
  const fonts = {};
  let y = 0;
  for (const [name, font] of Object.entries(styles)) {
    pen.font = font;
    const height = Math.ceil(parseInt(font.replace("bold ", "")) * 1.4);
    const baseline = Math.round(height * 0.76);
    const glyphs = {};
    let x = 0;
    for (const character of characters) {
      const advance = pen.measureText(character).width;
      const width = Math.ceil(advance) + 4;
      if (x + width > canvas.width) { x = 0; y += height; }
      pen.fillText(character, x + 2, y + baseline);
      glyphs[character] = [x, y, width, Math.round(advance * 100) / 100];
      x += width;
    }
    y += height;
    fonts[name] = { height, baseline, glyphs };
  }
  return { png: canvas.toDataURL("image/png"), fonts };
}`;

const browser = await launchBrowser({ args: ["--disable-lcd-text"] });
const page = await browser.newPage();
const made = (await page.evaluate(
  `(${program})(${JSON.stringify(characters)}, ${JSON.stringify(styles)})`,
)) as {
  png: string;
  fonts: unknown;
};
await browser.close();
writeFileSync(join(outDirectory, "glyphs.png"), Buffer.from(made.png.split(",")[1] ?? "", "base64"));
writeFileSync(join(outDirectory, "glyphs.json"), `${JSON.stringify(made.fonts)}\n`);
