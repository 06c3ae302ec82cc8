import { hasEnded } from "../../shared/wire/rest/job-state.ts";
import type { KeepJobs } from "../options.ts";
import type { JobRow } from "../store/store.ts";

/** Whether the time is over for which an ended job is kept: its customer's own time or the server's, whichever is shorter (SPEC.md [KEEP-1]). */
export function isPastKeeping(row: JobRow, kept: KeepJobs, now: number): boolean {
  const { state, endedAt, failed, keepMs = Infinity } = row;
  if (!hasEnded(state) || endedAt === undefined) return false;
  const end = state === "cancelled" ? "cancelled" : state === "finished" && failed === 0 ? "done" : "failed";
  return now - endedAt >= Math.min(keepMs, kept[end] ?? Infinity);
}
