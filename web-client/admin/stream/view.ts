/** The part of the stream that is shown. Times are in ms since the Unix epoch. */
export interface View {
  readonly from: number;
  readonly to: number;
  /** Pixels of lanes above the upper edge. */
  readonly top: number;
  /** Whether the right edge moves with the time. */
  readonly follows: boolean;
}

const shortestMs = 20;
const longestMs = 24 * 3_600_000;

/** The view when the page opens: the last two minutes. */
export function firstView(now: number): View {
  return { from: now - 120_000, to: now, top: 0, follows: true };
}

/** Zooms around a time: a factor below 1 shows less time, so that bars become longer. */
export function zoom(view: View, factor: number, around: number): View {
  const spanMs = view.to - view.from;
  const nextMs = Math.min(longestMs, Math.max(shortestMs, spanMs * factor));
  // A view that follows keeps its right edge.
  const at = view.follows ? view.to : around;
  const from = at - ((at - view.from) / spanMs) * nextMs;
  return { ...view, from, to: from + nextMs };
}

/** Moves by a time, positive to later ones; a view that comes to the present follows it. */
export function pan(view: View, byMs: number, now: number): View {
  const spanMs = view.to - view.from;
  const to = Math.min(now, view.to + byMs);
  return { ...view, from: to - spanMs, to, follows: to >= now - spanMs / 100 };
}

/** Moves over the lanes, within what there is. */
export function scroll(view: View, byPixels: number, hiddenPixels: number): View {
  return { ...view, top: Math.min(Math.max(0, hiddenPixels), Math.max(0, view.top + byPixels)) };
}

/** The view at a later time. */
export function advance(view: View, now: number): View {
  return view.follows ? { ...view, from: now - (view.to - view.from), to: now } : view;
}

/** Times of the axis, about `count` of them, at round numbers. */
export function ticksOf({ from, to }: View, count: number): { at: number; stepMs: number }[] {
  const steps = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5,
    72e5, 216e5,
  ];
  const wanted = (to - from) / Math.max(1, count);
  const stepMs = steps.find((step) => step >= wanted) ?? 432e5;
  const ticks: { at: number; stepMs: number }[] = [];
  for (let at = Math.ceil(from / stepMs) * stepMs; at <= to; at += stepMs) ticks.push({ at, stepMs });
  return ticks;
}
