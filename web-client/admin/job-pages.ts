import { computed, effect, signal, untracked } from "@preact/signals";
import { PlatformError } from "../../shared/errors.ts";
import { limits } from "../../shared/limits.ts";
import type { JobVerb } from "../../shared/wire/rest/change-jobs.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import { nextCursorHeader } from "../../shared/wire/rest/pages.ts";
import { requestWhole } from "./api.ts";
import { goToOverview, place } from "./navigation.ts";
import { nothingAsked, type JobQuestion } from "./place.ts";
import { act, notice, signedIn } from "./state.ts";
import { Ticks } from "./ticks.tsx";

/** Rows of a page: a browser shows this many without a noticeable pause every second. */
export const jobsPerPage = 100;
/** The page asks the server once the person has paused typing for this long. */
const typingMs = 200;

/** A page of jobs that the person asked for. */
interface AskedPage {
  readonly jobs: readonly JobInfo[];
  readonly next: string | undefined;
}

export const question = computed(() => (place.value.at === "overview" ? place.value.question : nothingAsked));
export const ticks = new Ticks();
/** The page that the person asked for; undefined while the page shows the jobs that the server pushes. */
export const asked = signal<AskedPage | undefined>(undefined);

let typing: ReturnType<typeof setTimeout> | undefined;
/** Counts questions, so that the reply to an earlier question is dropped. */
let era = 0;
let waiting = false;
let lastSearch = "";

/** Whether the person asked for other jobs than the server pushes. */
export function isAsked(): boolean {
  const { search, state, sort, cursor } = question.value;
  return search.trim() !== "" || state !== "" || sort !== "newest" || cursor !== undefined;
}

/** Changes the question, and shows its first page. */
export function ask(changed: Partial<JobQuestion>): void {
  const wanted = { ...question.value, ...changed, cursor: undefined, page: 1 };
  goToOverview({ question: wanted }, changed.search !== undefined);
}

/** Shows the page behind a cursor. */
export function turnOn(cursor: string): void {
  goToOverview({ question: { ...question.value, cursor, page: question.value.page + 1 } });
}

/** Asks again for the shown page, unless a reply is still to come. */
export function refreshQuietly(): void {
  if (!waiting && isAsked()) void refresh();
}

/** The server is asked whenever the question changes, by the person or by the address. */
effect(() => {
  const { search } = question.value;
  if (signedIn.value?.role !== "admin") return;
  untracked(() => {
    asked.value = undefined;
    clearTimeout(typing);
    typing = setTimeout(() => void refresh(), search === lastSearch ? 0 : typingMs);
    lastSearch = search;
  });
});

async function refresh(): Promise<void> {
  const now = ++era;
  if (!isAsked()) {
    asked.value = undefined;
    return;
  }
  waiting = true;
  try {
    const { body, headers } = await requestWhole("GET", `api/jobs?${queryOf(question.value)}`);
    if (now === era)
      asked.value = { jobs: body as JobInfo[], next: headers.get(nextCursorHeader) ?? undefined };
  } catch (error) {
    if (now === era) notice.value = PlatformError.from(error);
  }
  if (now === era) waiting = false;
}

/** Ticks every job that the question finds, on all pages. */
export function tickAll(): Promise<void> {
  return ticks.setAll("api/jobs", queryOf({ ...question.value, cursor: undefined }, limits.jobsPerPage));
}

/** Does the same to all ticked jobs. */
export async function actOnTicked(verb: JobVerb | "retry"): Promise<void> {
  const jobs = [...ticks.ids.value];
  const reply =
    verb === "retry"
      ? act("POST", "api/requeue-failed", { jobs })
      : act("POST", "api/change-jobs", { verb, jobs });
  if ((await reply) !== undefined) ticks.clear();
  refreshQuietly();
}

function queryOf({ search, state, sort, cursor }: JobQuestion, limit = jobsPerPage): URLSearchParams {
  const query = new URLSearchParams({ limit: String(limit), sort });
  if (search.trim() !== "") query.set("search", search);
  if (state !== "" && state !== "all") query.set("state", state);
  if (cursor !== undefined) query.set("cursor", cursor);
  return query;
}
