import { attemptEnds } from "../../../shared/wire/attempts.ts";
import { formatClock, formatCount, formatPrecise } from "../../ui/format.ts";
import { shownName } from "../../ui/shown-name.ts";
import { texts } from "../texts/current.ts";
import type { Bar } from "./bars.ts";

/** Everything about an attempt, a line a fact. */
export function describeBar(
  { job, client, slot, index, count, startedAt, tookMs, end, isCheck }: Bar,
  now: number,
): string[] {
  const ms = end === undefined ? now - startedAt : tookMs;
  const { stream: text } = texts;
  const tasks =
    count === 1 ? text.task(formatCount(index)) : text.bundle(formatCount(count), formatCount(index));
  const what = end === undefined ? text.running : text.ends[attemptEnds[end] ?? "done"];
  return [
    `${shownName(job.name)}, ${tasks}`,
    `${shownName(client.name)}, ${text.slot(formatCount(slot + 1))}`,
    `${formatClock(startedAt, true)}, ${millis(ms)}`,
    isCheck ? text.verifying(what) : what,
  ];
}

function millis(ms: number): string {
  if (ms < 1_000) return `${formatPrecise(ms)} ms`;
  if (ms < 60_000) return `${formatPrecise(ms / 1_000)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`;
}
