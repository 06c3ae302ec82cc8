import type { Volume } from "../volume.ts";
import type { Canvas, Colour } from "./canvas.ts";
import { centralSlices, spread } from "./slices.ts";
import { drawSurface, enclosingLevel } from "./surface.ts";

/** Colours and distances (pixels) that all sheets share. */
export const sheet = {
  dark: [22, 25, 31],
  pale: [214, 219, 228],
  muted: [138, 146, 160],
  margin: 40,
  gap: 10,
} as const satisfies Record<string, Colour | number>;

const views = [
  [0, 90, 90],
  [60, 55, 20],
] as const;

/** Sizes of the views of one map in a panel of a width, pixels. */
export function mapViewSizes(panel: number): { readonly slice: number; readonly surface: number } {
  return {
    slice: Math.floor((panel - 2 * sheet.gap) / 3),
    surface: Math.floor((panel - sheet.gap) / 2),
  };
}

/**
 * Draws a map: a row of central slices, and below it the surface from two sides.
 *
 * @param enclosed - volume that the surface encloses, Å³
 * @param panel - place and width of both rows, pixels
 */
export function drawMapViews(
  canvas: Canvas,
  { volume, colour }: { readonly volume: Volume; readonly colour: Colour },
  enclosed: number,
  panel: { readonly left: number; readonly top: number; readonly width: number },
): void {
  const { slice, surface } = mapViewSizes(panel.width);
  const x = (column: number, side: number): number => panel.left + column * (side + sheet.gap);
  centralSlices(volume).forEach((image, i) =>
    canvas.greys(image, volume.size, { x: x(i, slice), y: panel.top, side: slice }, spread(image)),
  );
  const level = enclosingLevel(volume, enclosed);
  views.forEach((view, i) => {
    const place = { x: x(i, surface), y: panel.top + slice + 16, side: surface };
    drawSurface(canvas, volume, level, place, { view, zoom: 0.86, colour });
  });
}
