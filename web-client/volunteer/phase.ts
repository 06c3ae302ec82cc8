import type { ClientStatus } from "../../shared/client/status.ts";
import { shownName } from "../ui/shown-name.ts";

/** State of the page, from which everything it shows follows. */
export type Phase =
  | { readonly state: "ready" }
  | { readonly state: "starting" }
  /** Another tab of this browser computes; this tab takes over when the other one closes. */
  | { readonly state: "otherTab" }
  | { readonly state: "running"; readonly status: ClientStatus; readonly recent: RecentWork }
  | { readonly state: "stopped"; readonly done: number }
  /** The page itself failed. */
  | { readonly state: "broken"; readonly message: string };

/**
 * Customers of the last tasks, and when those ran (on the clock of the status). Between tiny tasks a slot is idle for moments, and the
 * sentence would flicker without this.
 */
export interface RecentWork {
  readonly customers: readonly string[];
  readonly at: number;
}

interface Sentence {
  readonly tone: "quiet" | "busy" | "warning" | "error";
  readonly text: string;
}

const recentMs = 2_000;

/** The page's sentence for a phase. `now` is on the clock of the status. */
export function describePhase(phase: Phase, now: number): Sentence {
  switch (phase.state) {
    case "ready":
      return quiet("Nothing runs yet.");
    case "starting":
      return quiet("Starting…");
    case "otherTab":
      return quiet(
        "Another tab of this browser is computing already; this one takes over when that tab closes.",
      );
    case "stopped":
      return quiet(phase.done > 0 ? "Stopped. Everything is delivered; thank you!" : "Stopped.");
    case "broken":
      return { tone: "error", text: `This page failed: ${phase.message}. Reload it to try again.` };
    case "running":
      return describeClient(phase.status, phase.recent, now);
  }
}

function describeClient(status: ClientStatus, recent: RecentWork, now: number): Sentence {
  const { connection, mode } = status;
  const busy = status.slots.some(({ state }) => state === "running");
  if (connection.state === "refused") {
    const { message, remedy } = connection.error;
    return { tone: "error", text: `${message} ${remedy}` };
  }
  if (mode === "stopped" || connection.state === "stopped") return quiet("Stopped.");
  if (connection.state === "connecting") return quiet("Connecting to the server…");
  if (connection.state === "waiting") {
    const wait = `Not connected (${withoutStop(connection.reason)}); trying again in ${secondsUntil(connection.retryAt, now)} s.`;
    return { tone: "warning", text: busy ? `${wait} What was begun goes on.` : wait };
  }
  if (mode === "draining") return quiet(drainSentence(status, busy));
  if (mode === "paused")
    return quiet(busy ? "Pausing: what was begun is finished first." : "Paused until you press Resume.");
  return describeWork(status, recent, now);
}

function describeWork(status: ClientStatus, recent: RecentWork, now: number): Sentence {
  const running = now - recent.at < recentMs;
  if (running) return { tone: "busy", text: `Computing for ${listed(recent.customers)}.` };
  const broken = status.slots.find((slot) => slot.state === "broken");
  if (broken)
    return {
      tone: "warning",
      text: `The sandbox could not start (${withoutStop(broken.reason)}); trying again in ${secondsUntil(broken.retryAt, now)} s.`,
    };
  if (status.queued > 0) return quiet("Fetching the next task…");
  return quiet("No work right now; this page waits, and starts by itself when there is some.");
}

function drainSentence(status: ClientStatus, busy: boolean): string {
  if (busy) return "Finishing the tasks that run, then stopping.";
  return status.unsent > 0 ? "Delivering the last results, then stopping." : "Stopping…";
}

/** Turns a reason, which is a sentence, into a part of another sentence. */
function withoutStop(sentence: string): string {
  return sentence.replace(/\.$/, "");
}

function secondsUntil(at: number, now: number): number {
  return Math.max(0, Math.ceil((at - now) / 1000));
}

function listed(customers: readonly string[]): string {
  const names = customers.map(shownName);
  if (names.length > 3) return `${names.slice(0, 2).join(", ")} and ${names.length - 2} more`;
  return names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : (names[0] ?? "somebody");
}

function quiet(text: string): Sentence {
  return { tone: "quiet", text };
}
