import { textWidth, type Canvas, type Colour } from "./canvas.ts";

/** An axis of a plot, with a mark at each multiple of `step`. */
interface Axis {
  readonly label: string;
  readonly from: number;
  readonly to: number;
  readonly step: number;
  /** Text of a mark; its number, when absent. */
  readonly mark?: (at: number) => string;
}

const ink: Colour = [40, 44, 52];
const faint: Colour = [226, 229, 234];
const muted: Colour = [110, 116, 128];

/** Axes on a canvas, and what is drawn between them. */
export class Plot {
  readonly #canvas: Canvas;
  readonly #frame: {
    readonly left: number;
    readonly right: number;
    readonly top: number;
    readonly bottom: number;
  };
  readonly #x: Axis;
  readonly #y: Axis;
  #legend: number;

  /** @param place - of the whole plot, with title and labels, pixels */
  constructor(
    canvas: Canvas,
    title: string,
    place: { readonly x: number; readonly y: number; readonly width: number; readonly height: number },
    axes: { readonly x: Axis; readonly y: Axis },
  ) {
    const { x, y, width, height } = place;
    const frame = { left: x + 100, right: x + width - 24, top: y + 96, bottom: y + height - 84 };
    [this.#canvas, this.#frame, this.#x, this.#y] = [canvas, frame, axes.x, axes.y];
    this.#legend = frame.left;
    canvas.text(title, frame.left, y + 40, { font: "title" });
    for (const [at, text] of marks(axes.y)) {
      const down = this.#down(at);
      canvas.rectangle(frame.left, Math.round(down), frame.right - frame.left, 1, faint);
      canvas.text(text, frame.left - 12, Math.round(down) + 7, { align: "right", colour: muted });
    }
    for (const [at, text] of marks(axes.x)) {
      const across = Math.round(this.#across(at));
      canvas.rectangle(across, frame.bottom, 1, 7, ink);
      canvas.text(text, across, frame.bottom + 30, { align: "middle", colour: muted });
    }
    canvas.rectangle(frame.left, frame.top, 1, frame.bottom - frame.top, ink);
    canvas.rectangle(frame.left, frame.bottom, frame.right - frame.left, 1, ink);
    const [middleX, middleY] = [(frame.left + frame.right) / 2, (frame.top + frame.bottom) / 2];
    canvas.text(axes.x.label, Math.round(middleX), frame.bottom + 66, { align: "middle" });
    canvas.text(axes.y.label, x + 26, Math.round(middleY), { align: "middle", upright: true });
  }

  line(points: readonly (readonly [number, number])[], colour: Colour, thickness = 2.5): void {
    this.#canvas.polyline(
      points.map(([x, y]) => [this.#across(x), this.#down(y)] as const),
      colour,
      thickness,
    );
  }

  /** A dot of a few pixels; where many lie upon each other it is darker. */
  dot([x, y]: readonly [number, number], colour: Colour, size: number, cover = 1): void {
    const [left, top] = [Math.round(this.#across(x) - size / 2), Math.round(this.#down(y) - size / 2)];
    this.#canvas.rectangle(left, top, size, size, colour, cover);
  }

  /** A bar from the horizontal axis. */
  bar(from: number, to: number, height: number, colour: Colour): void {
    const [left, right, top] = [this.#across(from), this.#across(to), this.#down(height)].map(Math.round);
    this.#canvas.rectangle(left! + 1, top!, right! - left! - 1, this.#frame.bottom - top!, colour);
  }

  /** An entry of the legend above the plot. */
  name(text: string, colour: Colour): void {
    const base = this.#frame.top - 22;
    this.#canvas.rectangle(this.#legend, base - 9, 26, 6, colour);
    this.#canvas.text(text, this.#legend + 36, base);
    this.#legend += textWidth(text) + 64;
  }

  #across(x: number): number {
    const { left, right } = this.#frame;
    return left + ((right - left) * (x - this.#x.from)) / (this.#x.to - this.#x.from);
  }

  #down(y: number): number {
    const { top, bottom } = this.#frame;
    return bottom - ((bottom - top) * (y - this.#y.from)) / (this.#y.to - this.#y.from);
  }
}

/** The marks of an axis, with as many decimals as its step has. */
function marks({ from, to, step, mark }: Axis): [number, string][] {
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const first = Math.ceil(from / step - 1e-9);
  const count = Math.floor(to / step + 1e-9) - first + 1;
  const text = mark ?? ((at: number) => at.toFixed(decimals));
  return Array.from({ length: count }, (_, i) => [(first + i) * step, text((first + i) * step)]);
}
