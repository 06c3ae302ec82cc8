import type { Attempts } from "../../../shared/wire/attempts.ts";
import { formatClock } from "../../ui/format.ts";
import { shownName } from "../../ui/shown-name.ts";
import { Bars, type Bar } from "./bars.ts";
import { failedColour, jobColours, quietColour } from "./colours.ts";
import { paint, pixelOf, type Paints } from "./paint.ts";
import { advance, firstView, pan, scroll, ticksOf, zoom, type View } from "./view.ts";

const axisHeight = 24;
const [leastLane, mostLane] = [4, 22];
/** Names are drawn where the lanes of a client have room for them. */
const nameHeight = 13;
const wheelFactor = 1.0015;
const tipWidth = 300;
/** A finger or pointer is not exact. */
const nearPixels = 4;

/** The attempt under the pointer, and where to tell about it. */
export interface Hovered {
  readonly bar: Bar;
  readonly x: number;
  readonly y: number;
  /** Whether the text stands to the left of the pointer. */
  readonly flip: boolean;
  readonly now: number;
  readonly byKey: boolean;
}

interface Listener {
  onHover(bar: Hovered | undefined): void;
  onFollows(follows: boolean): void;
}

/** The canvas of the task stream: draws, zooms, moves, finds what is under the pointer. */
export class StreamCanvas {
  readonly bars = new Bars();
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #listener: Listener;
  readonly #ends = new AbortController();
  readonly #resized: ResizeObserver;
  readonly #timer: ReturnType<typeof setInterval>;
  /** Server's clock minus this machine's. */
  #aheadMs = 0;
  #view: View;
  #paints: Paints;
  #image: ImageData | undefined;
  #frame = 0;
  #dragged: { x: number; y: number } | undefined;
  #selected: { lane: number; at: number } | undefined;

  constructor(canvas: HTMLCanvasElement, listener: Listener) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d", { alpha: false })!;
    this.#listener = listener;
    this.#view = firstView(this.#now());
    this.#paints = paintsOf();
    const { signal } = this.#ends;
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { signal, passive: false });
    canvas.addEventListener("pointerdown", (event) => this.#press(event), { signal });
    canvas.addEventListener("pointermove", (event) => this.#move(event), { signal });
    for (const type of ["pointerup", "pointercancel"] as const)
      canvas.addEventListener(type, () => (this.#dragged = undefined), { signal });
    canvas.addEventListener("pointerleave", () => this.#listener.onHover(undefined), { signal });
    canvas.addEventListener("keydown", (event) => this.#key(event), { signal });
    matchMedia("(prefers-color-scheme: dark)").addEventListener(
      "change",
      () => {
        this.#paints = paintsOf();
        this.draw();
      },
      { signal },
    );
    this.#resized = new ResizeObserver(() => this.#resize());
    this.#resized.observe(canvas);
    // A view that follows the time moves a pixel or so at a time.
    this.#timer = setInterval(
      () => this.#view.follows && document.visibilityState !== "hidden" && this.draw(),
      200,
    );
  }

  close(): void {
    this.#ends.abort();
    this.#resized.disconnect();
    clearInterval(this.#timer);
    cancelAnimationFrame(this.#frame);
  }

  take(attempts: Attempts): void {
    this.#aheadMs = attempts.now - Date.now();
    this.bars.add(attempts);
    this.draw();
  }

  zoomBy(factor: number): void {
    this.#show(zoom(this.#view, factor, (this.#view.from + this.#view.to) / 2));
  }

  toNow(): void {
    const now = this.#now();
    this.#show({ ...this.#view, from: now - (this.#view.to - this.#view.from), to: now, follows: true });
  }

  /** Draws with the next frame. */
  draw(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#drawNow();
    });
  }

  #now(): number {
    return Date.now() + this.#aheadMs;
  }

  #show(view: View): void {
    this.#view = view;
    this.#listener.onFollows(view.follows);
    this.draw();
  }

  #resize(): void {
    const ratio = Math.min(2, devicePixelRatio);
    const { clientWidth, clientHeight } = this.#canvas;
    if (clientWidth === 0 || clientHeight === 0) return;
    this.#canvas.width = Math.round(clientWidth * ratio);
    this.#canvas.height = Math.round(clientHeight * ratio);
    const height = Math.max(1, Math.round((clientHeight - axisHeight) * ratio));
    this.#image = new ImageData(this.#canvas.width, height);
    // A canvas that was resized is empty until it is drawn.
    this.#drawNow();
  }

  /** Canvas pixels a CSS pixel. */
  get #ratio(): number {
    return this.#canvas.width / this.#canvas.clientWidth;
  }

  /** Height of a lane in canvas pixels. */
  get #laneHeight(): number {
    const height = this.#image?.height ?? 1;
    const share = Math.floor(height / Math.max(1, this.bars.lanes.length));
    return Math.min(Math.round(mostLane * this.#ratio), Math.max(Math.round(leastLane * this.#ratio), share));
  }

  get #hidden(): number {
    return this.bars.lanes.length * this.#laneHeight - (this.#image?.height ?? 0);
  }

  #drawNow(): void {
    const image = this.#image;
    if (!image) return;
    const now = this.#now();
    this.#view = scroll(advance(this.#view, now), 0, this.#hidden);
    const { width, height } = image;
    const pixels = new Uint32Array(image.data.buffer);
    paint({ pixels, width, height }, this.bars, this.#view, this.#laneHeight, now, this.#paints);
    this.#context.putImageData(image, 0, 0);
    this.#drawText(width, height);
  }

  #drawText(width: number, height: number): void {
    const context = this.#context;
    const ratio = this.#ratio;
    const style = getComputedStyle(this.#canvas);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    context.fillStyle = colour("--card");
    context.fillRect(0, height, width, this.#canvas.height - height);
    context.font = `${12 * ratio}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    context.textAlign = "center";
    context.fillStyle = colour("--muted");
    const { from, to } = this.#view;
    for (const { at, stepMs } of ticksOf(this.#view, width / (110 * ratio))) {
      const x = ((at - from) / (to - from)) * width;
      context.fillRect(Math.round(x), height, 1, 4 * ratio);
      const text = formatClock(at, stepMs < 1000);
      const half = context.measureText(text).width / 2;
      context.fillText(
        text,
        Math.min(width - half - 2, Math.max(half + 2, x)),
        height + (axisHeight / 2 + 2) * ratio,
      );
    }
    this.#drawNames(width, height, colour("--text"), colour("--card"));
  }

  #drawNames(width: number, height: number, text: string, behind: string): void {
    const context = this.#context;
    const ratio = this.#ratio;
    const laneHeight = this.#laneHeight;
    const { lanes } = this.bars;
    context.textAlign = "left";
    const most = Math.min(width / 3, 180 * ratio);
    for (let at = Math.floor(this.#view.top / laneHeight); at < lanes.length; at++) {
      const y = at * laneHeight - this.#view.top;
      if (y > height) return;
      const { client } = lanes[at]!;
      if (at > 0 && lanes[at - 1]!.client.id === client.id) continue;
      let end = at + 1;
      while (end < lanes.length && end < at + 8 && lanes[end]!.client.id === client.id) end += 1;
      if ((end - at) * laneHeight < nameHeight * ratio || y < 0) continue;
      const name = shorten(context, shownName(client.name), most);
      const high = Math.min(laneHeight * (end - at), 16 * ratio);
      context.globalAlpha = 0.8;
      context.fillStyle = behind;
      context.fillRect(0, y, context.measureText(name).width + 8 * ratio, high);
      context.globalAlpha = 1;
      context.fillStyle = text;
      context.fillText(name, 4 * ratio, y + high / 2);
    }
  }

  #timeAt(x: number): number {
    const { from, to } = this.#view;
    return from + (x / this.#canvas.clientWidth) * (to - from);
  }

  #wheel(event: WheelEvent): void {
    // The page scrolls under a pointer that only passes by.
    if (document.activeElement !== this.#canvas && !event.ctrlKey) return;
    event.preventDefault();
    const sideways = event.deltaX + (event.shiftKey ? event.deltaY : 0);
    const perPixel = (this.#view.to - this.#view.from) / this.#canvas.clientWidth;
    if (sideways !== 0) return this.#show(pan(this.#view, sideways * perPixel, this.#now()));
    this.#show(zoom(this.#view, wheelFactor ** event.deltaY, this.#timeAt(event.offsetX)));
  }

  #press(event: PointerEvent): void {
    this.#canvas.focus({ preventScroll: true });
    this.#canvas.setPointerCapture(event.pointerId);
    this.#dragged = { x: event.offsetX, y: event.offsetY };
  }

  #move({ offsetX: x, offsetY: y }: PointerEvent): void {
    if (!this.#dragged) return this.#hover(x, y);
    const perPixel = (this.#view.to - this.#view.from) / this.#canvas.clientWidth;
    const moved = pan(this.#view, (this.#dragged.x - x) * perPixel, this.#now());
    this.#show(scroll(moved, (this.#dragged.y - y) * this.#ratio, this.#hidden));
    this.#dragged = { x, y };
    this.#listener.onHover(undefined);
  }

  #hover(x: number, y: number): void {
    const lane = this.bars.lanes[Math.floor((y * this.#ratio + this.#view.top) / this.#laneHeight)];
    const nearMs = (nearPixels * (this.#view.to - this.#view.from)) / this.#canvas.clientWidth;
    const bar = lane && this.bars.find(lane, this.#timeAt(x), nearMs);
    this.#listener.onHover(bar && this.#hovered(bar, x, y, false));
  }

  #hovered(bar: Bar, x: number, y: number, byKey: boolean): Hovered {
    const flip = x > this.#canvas.clientWidth - tipWidth;
    return { bar, x, y, flip, now: this.#now(), byKey };
  }

  #key(event: KeyboardEvent): void {
    const spanMs = this.#view.to - this.#view.from;
    const now = this.#now();
    const middle = (this.#view.from + this.#view.to) / 2;
    const step = 3 * this.#laneHeight;
    switch (event.key) {
      case "ArrowLeft":
        this.#show(pan(this.#view, -spanMs / 10, now));
        break;
      case "ArrowRight":
        this.#show(pan(this.#view, spanMs / 10, now));
        break;
      case "ArrowUp":
        this.#show(scroll(this.#view, -step, this.#hidden));
        break;
      case "ArrowDown":
        this.#show(scroll(this.#view, step, this.#hidden));
        break;
      case "+":
      case "=":
        this.#show(zoom(this.#view, 0.8, middle));
        break;
      case "-":
        this.#show(zoom(this.#view, 1.25, middle));
        break;
      case "Home":
        this.#show(pan(this.#view, this.#oldest() - this.#view.from, now));
        break;
      case "End":
        this.toNow();
        break;
      case "[":
      case "]":
        this.#select(event.key === "]" ? 1 : -1);
        break;
      case "Escape":
        this.#selected = undefined;
        this.#listener.onHover(undefined);
        break;
      default:
        return;
    }
    event.preventDefault();
  }

  #oldest(): number {
    let oldest = this.#now();
    for (const { bars } of this.bars.lanes)
      if (bars.length > 0) oldest = Math.min(oldest, this.bars.startedAt[bars[0]!]!);
    return oldest;
  }

  /** Goes to the next or previous attempt of a lane, and on to the next lane at its end. */
  #select(by: 1 | -1): void {
    const { lanes } = this.bars;
    if (lanes.length === 0) return;
    let { lane, at } = this.#selected ?? {
      lane: 0,
      at: this.bars.firstAfter(lanes[0]!, this.#view.from) - by,
    };
    at += by;
    for (let turns = 0; turns <= lanes.length && lanes[lane]?.bars[at] === undefined; turns++) {
      lane = (lane + by + lanes.length) % lanes.length;
      at = by > 0 ? 0 : lanes[lane]!.bars.length - 1;
    }
    const number = lanes[lane]?.bars[at];
    if (number === undefined) return;
    this.#selected = { lane, at };
    const bar = this.bars.describe(lanes[lane]!, number);
    const spanMs = this.#view.to - this.#view.from;
    if (bar.startedAt < this.#view.from || bar.startedAt > this.#view.to)
      this.#show({
        ...this.#view,
        from: bar.startedAt - spanMs / 4,
        to: bar.startedAt + (spanMs * 3) / 4,
        follows: false,
      });
    const y = lane * this.#laneHeight;
    if (y < this.#view.top || y > this.#view.top + (this.#image?.height ?? 0))
      this.#show(scroll(this.#view, y - this.#view.top, this.#hidden));
    const x = ((bar.startedAt - this.#view.from) / spanMs) * this.#canvas.clientWidth;
    this.#listener.onHover(this.#hovered(bar, Math.max(0, x), (y - this.#view.top) / this.#ratio, true));
  }
}

function paintsOf(): Paints {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): number => pixelOf(wide(style.getPropertyValue(name).trim()));
  return {
    background: colour("--page"),
    band: colour("--sunken"),
    jobs: jobColours.map(pixelOf),
    failed: pixelOf(failedColour),
    quiet: pixelOf(quietColour),
  };
}

/** `#fff`, as a minifier writes it, in six digits. */
function wide(hex: string): string {
  return hex.length === 4 ? hex.replaceAll(/[\da-f]/gi, "$&$&") : hex;
}

function shorten(context: CanvasRenderingContext2D, name: string, most: number): string {
  if (context.measureText(name).width <= most) return name;
  const letters = Array.from(new Intl.Segmenter().segment(name), ({ segment }) => segment);
  let [low, high] = [0, letters.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(`${letters.slice(0, middle).join("")}…`).width <= most) low = middle;
    else high = middle - 1;
  }
  return `${letters.slice(0, low).join("")}…`;
}
