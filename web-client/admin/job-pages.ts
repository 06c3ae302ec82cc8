import { signal } from "@preact/signals";
import { PlatformError } from "../../shared/errors.ts";
import { nextCursorHeader, type JobInfo, type JobListState } from "../../shared/wire/rest.ts";
import { requestWhole } from "./api.ts";
import { notice } from "./state.ts";

/** Rows of a page: a browser shows this many without a noticeable pause every second. */
export const jobsPerPage = 100;
/** The page asks the server once the person has paused typing for this long. */
const typingMs = 200;

/** The person's search and filter. */
export interface JobQuestion {
  readonly search: string;
  /** `all`: everything, newest first. */
  readonly state: JobListState | "all" | "";
}

const nothingAsked: JobQuestion = { search: "", state: "" };

/** A page of jobs that the person asked for. */
interface AskedPage {
  readonly jobs: readonly JobInfo[];
  readonly next: string | undefined;
}

export const question = signal<JobQuestion>(nothingAsked);
/** Cursors of the pages up to the shown one; empty on the first page, which has none. */
export const turned = signal<readonly string[]>([]);
/** The page that the person asked for; undefined while the page shows the jobs that the server pushes. */
export const asked = signal<AskedPage | undefined>(undefined);

let typing: ReturnType<typeof setTimeout> | undefined;
/** Counts questions, so that the reply to an earlier question is dropped. */
let era = 0;
let waiting = false;

/** Whether the person asked for other jobs than the server pushes. */
export function isAsked(): boolean {
  return question.value.search.trim() !== "" || question.value.state !== "" || turned.value.length > 0;
}

/** Changes the question, and shows its first page. */
export function ask(changed: Partial<JobQuestion>): void {
  question.value = { ...question.value, ...changed };
  turned.value = [];
  clearTimeout(typing);
  typing = setTimeout(() => void refresh(), changed.search === undefined ? 0 : typingMs);
}

export function turnOn(cursor: string): void {
  turned.value = [...turned.value, cursor];
  void refresh();
}

export function turnBack(): void {
  turned.value = turned.value.slice(0, -1);
  void refresh();
}

/** Asks again for the shown page, unless a reply is still to come. */
export function refreshQuietly(): void {
  if (!waiting && isAsked()) void refresh();
}

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

function queryOf({ search, state }: JobQuestion): URLSearchParams {
  const query = new URLSearchParams({ limit: String(jobsPerPage) });
  if (search.trim() !== "") query.set("search", search);
  if (state !== "" && state !== "all") query.set("state", state);
  const cursor = turned.value.at(-1);
  if (cursor !== undefined) query.set("cursor", cursor);
  return query;
}
