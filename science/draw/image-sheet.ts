import { Canvas, type Colour } from "./canvas.ts";
import { drawMapViews, mapViewSizes, sheet } from "./map-views.ts";
import { spread } from "./slices.ts";
import type { Volume } from "../volume.ts";

const { dark, pale, muted, margin, gap } = sheet;
const top = 92;

/** A row of images with its label. */
interface LabelledRow {
  readonly label: string;
  /** `box`² pixels each. */
  readonly images: readonly Float32Array[];
}

/** Rows of images under column headings, as a PNG: density is bright. */
export function drawImageRows(
  title: string,
  rows: readonly LabelledRow[],
  options: { readonly box: number; readonly headings: readonly string[]; readonly side?: number },
): Uint8Array {
  const { box, headings, side = 132 } = options;
  const columns = Math.max(1, ...rows.map(({ images }) => images.length));
  const left = margin + 130;
  const width = Math.max(960, left + columns * (side + gap) - gap + margin);
  const canvas = new Canvas(width, top + 24 + rows.length * (side + gap) + margin - gap, dark);
  canvas.text(title, margin, 54, { font: "title", colour: pale });
  headings.forEach((heading, i) => canvas.text(heading, left + i * (side + gap), top + 6, { colour: muted }));
  rows.forEach(({ label, images }, row) => {
    const y = top + 24 + row * (side + gap);
    label
      .split("\n")
      .forEach((line, i) => canvas.text(line, margin, y + side / 2 - 4 + 22 * i, { colour: muted }));
    images.forEach((image, i) =>
      canvas.greys(image, box, { x: left + i * (side + gap), y, side }, spread(image)),
    );
  });
  return canvas.encode();
}

/** A matrix as a picture, a cell for each number, dark to bright over the range of its values; as a PNG. */
export function drawMatrix(
  title: string,
  values: Float32Array,
  shape: { readonly columns: number; readonly rows: number },
  labels: { readonly columns: string; readonly rows: string; readonly values: string },
): Uint8Array {
  const { columns, rows } = shape;
  const width = Math.max(1, Math.floor(900 / columns));
  const height = Math.min(24, Math.max(1, Math.floor(900 / rows)));
  const left = margin + 36;
  const canvas = new Canvas(Math.max(960, left + columns * width + margin), top + rows * height + 96, dark);
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const shade = (value: number): Colour => ramp((value - low) / (high - low || 1));
  canvas.text(title, margin, 54, { font: "title", colour: pale });
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      canvas.rectangle(
        left + column * width,
        top + row * height,
        width,
        height,
        shade(values[row * columns + column]!),
      );
  canvas.text(labels.rows, margin + 16, top + (rows * height) / 2, {
    colour: muted,
    align: "middle",
    upright: true,
  });
  const bottom = top + rows * height;
  canvas.text(labels.columns, left, bottom + 28, { colour: muted });
  const bar = { x: left, y: bottom + 46, width: 240 };
  for (let i = 0; i < bar.width; i++) canvas.rectangle(bar.x + i, bar.y, 1, 14, ramp(i / (bar.width - 1)));
  canvas.text(
    `${labels.values}: ${low.toFixed(2)} … ${high.toFixed(2)}`,
    bar.x + bar.width + 16,
    bar.y + 13,
    { colour: muted },
  );
  return canvas.encode();
}

/** A colour between the background's blue and a warm white, in even steps of lightness. */
function ramp(part: number): Colour {
  const stops: readonly Colour[] = [
    [26, 30, 48],
    [52, 70, 120],
    [72, 130, 150],
    [190, 170, 100],
    [255, 240, 205],
  ];
  const position = Math.min(0.9999, Math.max(0, part)) * (stops.length - 1);
  const from = stops[Math.floor(position)]!;
  const to = stops[Math.floor(position) + 1]!;
  const share = position % 1;
  return [0, 1, 2].map((i) => from[i as 0] + (to[i as 0] - from[i as 0]) * share) as unknown as Colour;
}

/** Maps side by side, each with a heading, central slices, and its surface from two sides; as a PNG. */
export function drawMaps(
  title: string,
  maps: readonly { readonly heading: string; readonly volume: Volume; readonly colour: Colour }[],
  /** Volume inside each surface, Å³. */
  enclosed: number,
): Uint8Array {
  const panel = 600;
  const { slice, surface } = mapViewSizes(panel);
  const width = 2 * margin + maps.length * panel + (maps.length - 1) * margin;
  const canvas = new Canvas(width, top + slice + surface + 96, dark);
  canvas.text(title, margin, 54, { font: "title", colour: pale });
  maps.forEach(({ heading, ...map }, i) => {
    const left = margin + i * (panel + margin);
    canvas.text(heading, left, top + 16, { colour: muted });
    drawMapViews(canvas, map, enclosed, { left, top: top + 32, width: panel });
  });
  return canvas.encode();
}
