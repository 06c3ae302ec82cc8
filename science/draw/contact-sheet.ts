import type { Volume } from "../volume.ts";
import { Canvas, type Colour } from "./canvas.ts";
import { centralSlices, spread } from "./slices.ts";
import { drawSurface, enclosingLevel } from "./surface.ts";

/** A row of images of one size with a heading. */
interface SheetRow {
  readonly heading: string;
  readonly images: readonly Float32Array[];
}

const dark: Colour = [22, 25, 31];
const pale: Colour = [214, 219, 228];
const muted: Colour = [138, 146, 160];
const margin = 40;
const gap = 10;
const side = 150;
const columns = 8;
const width = 2 * margin + columns * side + (columns - 1) * gap;

/**
 * The whole experiment on one sheet: rows of images, central slices of the true and the recovered map, and the surfaces of
 * both; as a PNG.
 *
 * @param box - pixels of an image, voxels of a map, a side
 * @param molecule - volume of the molecule, Å³, which sets the level of the surfaces
 */
export function drawContactSheet(
  title: string,
  rows: readonly SheetRow[],
  maps: { readonly truth: Volume; readonly recovered: Volume; readonly molecule: number },
): Uint8Array {
  const box = maps.truth.size;
  const half = (width - 2 * margin - 40) / 2;
  const slice = Math.floor((half - 2 * gap) / 3);
  const surface = Math.floor((half - gap) / 2);
  const top = 92;
  const mapsTop = top + rows.length * (side + 44);
  const canvas = new Canvas(width, mapsTop + slice + surface + 96, dark);
  canvas.text(title, margin, 54, { font: "title", colour: pale });
  rows.forEach(({ heading, images }, i) => {
    const y = top + i * (side + 44);
    canvas.text(heading, margin, y + 20, { colour: muted });
    images
      .slice(0, columns)
      .forEach((image, column) =>
        canvas.greys(image, box, { x: margin + column * (side + gap), y: y + 32, side }, spread(image)),
      );
  });
  for (const [name, volume, left, colour] of [
    ["True map", maps.truth, margin, [158, 196, 232]],
    ["Recovered map", maps.recovered, margin + half + 40, [240, 190, 120]],
  ] as const) {
    canvas.text(`${name}: central slices, surface from two sides`, left, mapsTop + 20, {
      colour: muted,
    });
    centralSlices(volume).forEach((image, i) =>
      canvas.greys(image, box, { x: left + i * (slice + gap), y: mapsTop + 32, side: slice }, spread(image)),
    );
    const level = enclosingLevel(volume, maps.molecule);
    views.forEach((view, i) => {
      const place = { x: left + i * (surface + gap), y: mapsTop + slice + 48, side: surface };
      drawSurface(canvas, volume, level, place, { view, zoom: 0.86, colour });
    });
  }
  return canvas.encode();
}

const views = [
  [0, 90, 90],
  [60, 55, 20],
] as const;
