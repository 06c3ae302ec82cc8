import type { Volume } from "../volume.ts";
import { Canvas } from "./canvas.ts";
import { drawMapViews, mapViewSizes, sheet } from "./map-views.ts";
import { spread } from "./slices.ts";

/** A row of images of one size with a heading. */
interface SheetRow {
  readonly heading: string;
  readonly images: readonly Float32Array[];
}

const { dark, pale, muted, margin, gap } = sheet;
const side = 150;
const columns = 8;
const width = 2 * margin + columns * side + (columns - 1) * gap;

/**
 * The whole experiment on one sheet: rows of images, central slices of the true and the recovered map, and the surfaces of
 * both; as a PNG.
 *
 * @param box - pixels a side of an image, and voxels a side of a map
 * @param molecule - volume of the molecule, Å³, which sets the level of the surfaces
 */
export function drawContactSheet(
  title: string,
  rows: readonly SheetRow[],
  maps: { readonly truth: Volume; readonly recovered: Volume; readonly molecule: number },
): Uint8Array {
  const box = maps.truth.size;
  const half = (width - 2 * margin - 40) / 2;
  const { slice, surface } = mapViewSizes(half);
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
    drawMapViews(canvas, { volume, colour }, maps.molecule, { left, top: mapsTop + 32, width: half });
  }
  return canvas.encode();
}
