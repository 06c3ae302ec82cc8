import { attemptEnds } from "../../../shared/wire/attempts.ts";
import { formatCount } from "../../ui/format.ts";
import { shownName } from "../../ui/shown-name.ts";
import type { Bar } from "./bars.ts";

const ends: Record<(typeof attemptEnds)[number], string> = {
  done: "done",
  failed: "failed",
  lost: "lost: its client vanished",
  cancelled: "cancelled: the result came from elsewhere, or the job ended",
  returned: "handed back",
};

/** Everything about an attempt, a line a fact. */
export function describeBar(
  { job, client, slot, index, count, startedAt, tookMs, end, isCheck }: Bar,
  now: number,
): string[] {
  const ms = end === undefined ? now - startedAt : tookMs;
  const tasks =
    count === 1
      ? `task ${formatCount(index)}`
      : `${formatCount(count)} tasks in a bundle, from ${formatCount(index)}`;
  const what = end === undefined ? "running" : ends[attemptEnds[end] ?? "done"];
  return [
    `${shownName(job.name)}, ${tasks}`,
    `${shownName(client.name)}, slot ${slot + 1}`,
    `${clock(startedAt, true)}, ${millis(ms)}`,
    isCheck ? `${what}; verifies another result` : what,
  ];
}

function millis(ms: number): string {
  if (ms < 1_000) return `${ms.toPrecision(3).replace(/\.0+$/, "")} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(2)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`;
}

/** A time of day, to the ms where that tells something. */
export function clock(at: number, hasMs: boolean): string {
  const date = new Date(at);
  const text = date.toLocaleTimeString("en-GB");
  return hasMs ? `${text}.${String(date.getMilliseconds()).padStart(3, "0")}` : text;
}
