import type { ClientStatus } from "../../shared/client/status.ts";
import { shownName } from "../ui/shown-name.ts";
import { page } from "./texts/current.ts";

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

export interface Sentence {
  readonly tone: "quiet" | "busy" | "warning" | "error";
  readonly text: string;
}

const recentMs = 2_000;

/** The page's sentence for a phase. `now` is on the clock of the status. */
export function describePhase(phase: Phase, now: number): Sentence {
  switch (phase.state) {
    case "ready":
      return quiet(page.ready);
    case "starting":
      return quiet(page.starting);
    case "otherTab":
      return quiet(page.otherTab);
    case "stopped":
      return quiet(phase.done > 0 ? page.thanks : page.stopped);
    case "broken":
      return { tone: "error", text: page.broken(phase.message) };
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
  if (mode === "stopped" || connection.state === "stopped") return quiet(page.stopped);
  if (connection.state === "connecting") return quiet(page.connecting);
  if (connection.state === "waiting") {
    const wait = page.waiting(withoutStop(connection.reason), secondsUntil(connection.retryAt, now));
    return { tone: "warning", text: busy ? `${wait} ${page.goesOn}` : wait };
  }
  if (mode === "draining") return quiet(drainSentence(status, busy));
  if (mode === "paused") return quiet(busy ? page.pausing : page.paused);
  return describeWork(status, recent, now);
}

function describeWork(status: ClientStatus, recent: RecentWork, now: number): Sentence {
  const running = now - recent.at < recentMs;
  if (running) return { tone: "busy", text: page.computing(listed(recent.customers)) };
  const broken = status.slots.find((slot) => slot.state === "broken");
  if (broken)
    return {
      tone: "warning",
      text: page.brokenSandbox(withoutStop(broken.reason), secondsUntil(broken.retryAt, now)),
    };
  return quiet(status.queued > 0 ? page.fetching : page.noWork);
}

function drainSentence(status: ClientStatus, busy: boolean): string {
  if (busy) return page.finishing;
  return status.unsent > 0 ? page.delivering : page.stopping;
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
  if (names.length > 3) return `${names.slice(0, 2).join(", ")} ${page.further(names.length - 2)}`;
  return names.length > 1
    ? `${names.slice(0, -1).join(", ")} ${page.and} ${names.at(-1)}`
    : (names[0] ?? page.somebody);
}

function quiet(text: string): Sentence {
  return { tone: "quiet", text };
}
