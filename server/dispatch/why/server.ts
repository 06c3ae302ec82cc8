import type { Why } from "../../../shared/wire/why.ts";
import type { State } from "../../scheduler/state.ts";
import { holdsOfJob, type StoredJob } from "./job.ts";
import { groupHolds, reasonOf, type Hold } from "./sentences.ts";

/**
 * Why no task is computed at a server. Reads the scheduler's state, and changes nothing.
 * @param open - jobs that have not ended; the answer is about these
 * @param running - leased tasks at this server
 */
export function whyServer(state: State, open: readonly StoredJob[], running: number): Why {
  if (running > 0) return { running, reasons: [] };
  return { running, reasons: holdsOfServer(state, open).map((hold) => reasonOf(hold)) };
}

function holdsOfServer(state: State, open: readonly StoredJob[]): Hold[] {
  if (!state.leasing) return [{ code: "stopping" }];
  if (open.length === 0) return [{ code: "noJobs" }];
  const holds = open.flatMap((row) => holdsOfJob(state, row).slice(0, 1));
  const grouped = groupHolds(holds);
  // Reasons of the whole server stand for all its jobs.
  const whole = grouped.find(
    ({ code }) => code === "noClients" || code === "clientsAway" || code === "starting",
  );
  return whole ? [whole, ...grouped.filter((hold) => hold !== whole)] : grouped;
}

/**
 * The answers of several servers about one thing. What holds up all servers holds; a lack of clients at one server is none when tasks are
 * computed, or could be, at another.
 */
export function joinWhys(own: Why, others: readonly Why[]): Why {
  if (others.length === 0) return own;
  const all = [own, ...others];
  const running = all.reduce((sum, why) => sum + why.running, 0);
  const codes = all.map(({ reasons }) => new Set(reasons.map(({ code }) => code)));
  const reasons = all.find((why) => why.running > 0 && why.reasons.length > 0)?.reasons ?? [];
  if (running > 0) return { running, reasons };
  const shared = own.reasons.filter(({ code }) => codes.every((set) => set.has(code)));
  if (shared.length > 0) return { running, reasons: shared };
  // The server that has clients knows best.
  const best = all.find((why) => !why.reasons.some(({ code }) => code === "noClients")) ?? own;
  return { running, reasons: best.reasons };
}
