import type { Bars, Lane } from "./bars.ts";
import type { View } from "./view.ts";

/** Colours of the stream as pixels (ABGR on little-endian machines). */
export interface Paints {
  readonly background: number;
  /** Every other client. */
  readonly band: number;
  readonly jobs: readonly number[];
  readonly failed: number;
  readonly quiet: number;
}

/** A picture of lanes: `height` rows of `width` pixels. */
export interface Picture {
  readonly pixels: Uint32Array;
  readonly width: number;
  readonly height: number;
}

const [failed, lost, cancelled] = [1, 2, 3];

/**
 * Paints the visible bars. Each lane is painted once, into its first row, which is then copied: 50,000 bars take a few milliseconds, where
 * as many calls of `fillRect` took tens.
 * @param laneHeight - pixels of a lane, its gap included
 * @param now - the end of attempts that run
 */
export function paint(
  picture: Picture,
  bars: Bars,
  view: View,
  laneHeight: number,
  now: number,
  paints: Paints,
): void {
  const { pixels, width, height } = picture;
  pixels.fill(paints.background);
  const { lanes } = bars;
  const first = Math.max(0, Math.floor(view.top / laneHeight));
  const gap = laneHeight >= 4 ? 1 : 0;
  let band = bandOf(lanes, first);
  for (let at = first; at < lanes.length; at++) {
    const lane = lanes[at]!;
    const y = at * laneHeight - view.top;
    if (y >= height) return;
    if (at > first && lane.client.id !== lanes[at - 1]!.client.id) band = !band;
    const top = Math.max(0, y);
    const bottom = Math.min(height, y + laneHeight);
    const row = top * width;
    if (band) pixels.fill(paints.band, row, bottom * width);
    if (!paintLane(pixels.subarray(row, row + width), width, bars, lane, view, now, paints)) continue;
    for (let copy = top + 1; copy < bottom - gap; copy++) pixels.copyWithin(copy * width, row, row + width);
  }
}

/** Whether the lane's client has the darker background. */
function bandOf(lanes: readonly Lane[], upTo: number): boolean {
  let band = false;
  for (let at = 1; at <= upTo && at < lanes.length; at++)
    if (lanes[at]!.client.id !== lanes[at - 1]!.client.id) band = !band;
  return band;
}

/** Paints one row. @returns whether anything is on it */
function paintLane(
  row: Uint32Array,
  width: number,
  bars: Bars,
  lane: Lane,
  { from, to }: View,
  now: number,
  paints: Paints,
): boolean {
  const scale = width / (to - from);
  const { startedAt, tookMs, jobs, ends } = bars;
  const { running } = lane;
  const first = bars.firstAfter(lane, from);
  if (running && running.startedAt < to) {
    const colour = colourOf(running.job.order, paints);
    fill(
      row,
      (running.startedAt - from) * scale,
      (Math.min(now, to) - from) * scale,
      colour,
      running.isCheck ? paints.background : colour,
    );
  }
  let painted = running !== undefined;
  // Bars shorter than a pixel stand on one pixel together, where a failure is on top.
  let covered = -1;
  for (let at = first; at < lane.bars.length; at++) {
    const bar = lane.bars[at]!;
    const x = (startedAt[bar]! - from) * scale;
    if (x >= width) break;
    const right = x + tookMs[bar]! * scale;
    const end = ends[bar]!;
    if (right < covered && (end & 7) === 0) continue;
    const job = colourOf(jobs[bar]!, paints);
    const plain = end & 7;
    const colour =
      plain === failed || plain === lost ? paints.failed : plain >= cancelled ? paints.quiet : job;
    const stripe = plain === lost || plain >= cancelled ? paints.band : end >= 8 ? paints.background : colour;
    covered = fill(row, x, right, colour, stripe);
    painted = true;
  }
  return painted;
}

function colourOf(job: number, { jobs }: Paints): number {
  return jobs[job % jobs.length]!;
}

/** Fills a stretch of a row, at least a pixel; stripes of another colour if that differs. @returns the first pixel behind it */
function fill(row: Uint32Array, left: number, right: number, colour: number, stripe: number): number {
  const from = Math.max(0, Math.floor(left));
  // Neighbours that are long enough to tell apart have a gap between them.
  const wide = right - left > 4 ? Math.floor(right) - 1 : Math.floor(right);
  const to = Math.min(row.length, Math.max(from + 1, wide));
  row.fill(colour, from, to);
  if (stripe !== colour) for (let x = from + 2; x < to; x += 4) row.fill(stripe, x, Math.min(to, x + 2));
  return to;
}

/** A colour in hexadecimal as a pixel. */
export function pixelOf(hex: string): number {
  const value = Number.parseInt(hex.trim().slice(1), 16);
  return (0xff000000 | ((value & 0xff) << 16) | (value & 0xff00) | ((value >> 16) & 0xff)) >>> 0;
}
