import { resolutionAt, type FscCurve } from "../fsc.ts";
import { Canvas, textWidth, type Colour } from "./canvas.ts";

/** A curve of the plot. */
interface PlottedCurve {
  readonly curve: FscCurve;
  readonly label: string;
  readonly colour: Colour;
  /** The correlation at which the curve's resolution is read. */
  readonly threshold: number;
}

const ink: Colour = [40, 44, 52];
const faint: Colour = [226, 229, 234];
const muted: Colour = [110, 116, 128];
const frame = { left: 110, right: 1128, top: 132, bottom: 640 };

/** Resolutions of the axis's tick marks, Å. */
const tickResolutions = [
  100, 60, 40, 30, 25, 20, 17, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4.5, 4, 3.5, 3, 2.5, 2,
];

/** Draws Fourier shell correlations over frequency, with resolution in Å along the axis, as a PNG. */
export function drawFscPlot(title: string, curves: readonly PlottedCurve[]): Uint8Array {
  const canvas = new Canvas(1200, 760, [255, 255, 255]);
  const highest = Math.max(...curves.map(({ curve }) => (curve.values.length - 1) / curve.boxLength));
  const x = (frequency: number): number => frame.left + ((frame.right - frame.left) * frequency) / highest;
  const lowest = -0.1;
  const y = (fsc: number): number =>
    frame.bottom - ((frame.bottom - frame.top) * (fsc - lowest)) / (1 - lowest);

  canvas.text(title, frame.left, 52, { font: "title" });
  for (let fsc = 0; fsc <= 1.001; fsc += 0.2) {
    canvas.polyline(
      [
        [frame.left, y(fsc)],
        [frame.right, y(fsc)],
      ],
      faint,
      1,
    );
    canvas.text(fsc.toFixed(1), frame.left - 14, y(fsc) + 7, { align: "right", colour: muted });
  }
  drawResolutionTicks(canvas, highest, x);
  canvas.polyline(
    [
      [frame.left, frame.top],
      [frame.left, frame.bottom],
      [frame.right, frame.bottom],
    ],
    ink,
    1.6,
  );
  canvas.text("Fourier shell correlation", 44, (frame.top + frame.bottom) / 2, {
    align: "middle",
    upright: true,
  });
  canvas.text("Resolution (Å)", (frame.left + frame.right) / 2, frame.bottom + 76, { align: "middle" });
  for (const threshold of [0.5, 0.143]) {
    canvas.dashed([frame.left, y(threshold)], [frame.right, y(threshold)], muted, 1.4);
    canvas.text(String(threshold), frame.right + 8, y(threshold) + 5, { font: "small", colour: muted });
  }
  for (const { curve, colour } of curves)
    canvas.polyline(
      curve.values.map((value, shell) => [x(shell / curve.boxLength), y(Math.max(lowest, value))] as const),
      colour,
      3.2,
    );
  for (const plotted of curves) markResolution(canvas, plotted, x, y);
  drawLegend(canvas, curves);
  return canvas.encode();
}

function drawResolutionTicks(canvas: Canvas, highest: number, x: (frequency: number) => number): void {
  let free = frame.left + 20;
  for (const resolution of tickResolutions) {
    const at = x(1 / resolution);
    const half = textWidth(String(resolution)) / 2;
    if (1 / resolution > highest || at - half < free) continue;
    canvas.polyline(
      [
        [at, frame.top],
        [at, frame.bottom],
      ],
      faint,
      1,
    );
    canvas.polyline(
      [
        [at, frame.bottom],
        [at, frame.bottom + 7],
      ],
      ink,
      1.4,
    );
    canvas.text(String(resolution), at, frame.bottom + 32, { align: "middle", colour: muted });
    free = at + half + 16;
  }
}

/** A dot where the curve crosses its threshold, if it does. */
function markResolution(
  canvas: Canvas,
  { curve, colour, threshold }: PlottedCurve,
  x: (frequency: number) => number,
  y: (fsc: number) => number,
): void {
  if (!crosses(curve, threshold)) return;
  const at: [number, number] = [x(1 / resolutionAt(curve, threshold)), y(threshold)];
  canvas.polyline([at, at], [255, 255, 255], 17);
  canvas.polyline([at, at], colour, 12);
}

function crosses({ values }: FscCurve, threshold: number): boolean {
  return values.some((value) => value < threshold);
}

/** A line above the plot, where no curve can cross it. */
function drawLegend(canvas: Canvas, curves: readonly PlottedCurve[]): void {
  let left = frame.left;
  for (const { label, curve, threshold, colour } of curves) {
    const where = crosses(curve, threshold) ? ` at ${threshold}` : `, nowhere below ${threshold}`;
    const line = `${label}: ${resolutionAt(curve, threshold).toFixed(1)} Å${where}`;
    canvas.polyline(
      [
        [left, 91],
        [left + 34, 91],
      ],
      colour,
      4,
    );
    canvas.text(line, left + 44, 98);
    left += textWidth(line) + 84;
  }
}
