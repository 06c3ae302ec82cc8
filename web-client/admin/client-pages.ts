import { signal } from "@preact/signals";
import { PlatformError } from "../../shared/errors.ts";
import {
  clientCountHeader,
  type ClientInfo,
  type ClientQuery,
  type clientVerbs,
} from "../../shared/wire/rest/clients.ts";
import { nextCursorHeader } from "../../shared/wire/rest/pages.ts";
import { request, requestWhole } from "./api.ts";
import { notice } from "./state.ts";

/** Rows of a page. */
export const clientsPerPage = 100;
const typingMs = 200;

/** The person's search, filter and order. */
export type ClientQuestion = Pick<ClientQuery, "search" | "state" | "kind" | "sort" | "order">;

interface ClientPage {
  readonly clients: readonly ClientInfo[];
  readonly count: number;
  readonly next: number | undefined;
}

export const question = signal<ClientQuestion>({});
/** Place of the first client of the page. */
export const first = signal(0);
/** The page that the person asked for; undefined while the page shows what the server pushes. */
export const page = signal<ClientPage | undefined>(undefined);
/** Ids of the ticked clients. */
export const ticked = signal<ReadonlySet<string>>(new Set());

let typing: ReturnType<typeof setTimeout> | undefined;
/** Counts questions, so that the reply to an earlier one is dropped. */
let era = 0;
let waiting = false;

/** Whether the person asked for other clients than the server pushes. */
export function isAsked(): boolean {
  return (
    first.value > 0 || Object.values(question.value).some((value) => value !== undefined && value !== "")
  );
}

export function ask(changed: ClientQuestion): void {
  question.value = { ...question.value, ...changed };
  first.value = 0;
  clearTimeout(typing);
  typing = setTimeout(() => void refresh(), changed.search === undefined ? 0 : typingMs);
}

export function turnTo(place: number): void {
  first.value = place;
  void refresh();
}

/** Asks again for the shown page, unless a reply is still to come. */
export function refreshQuietly(): void {
  if (!waiting && isAsked()) void refresh();
}

async function refresh(): Promise<void> {
  const now = ++era;
  if (!isAsked()) return void (page.value = undefined);
  waiting = true;
  const query = new URLSearchParams({ limit: String(clientsPerPage), cursor: String(first.value) });
  for (const [name, value] of Object.entries(question.value)) if (value) query.set(name, value);
  try {
    const { body, headers } = await requestWhole("GET", `api/clients?${query}`);
    const next = headers.get(nextCursorHeader);
    if (now === era)
      page.value = {
        clients: body as ClientInfo[],
        count: Number(headers.get(clientCountHeader)),
        next: next === null ? undefined : Number(next),
      };
  } catch (error) {
    if (now === era) notice.value = PlatformError.from(error);
  }
  if (now === era) waiting = false;
}

export function tick(id: string, isTicked: boolean): void {
  const all = new Set(ticked.value);
  if (isTicked) all.add(id);
  else all.delete(id);
  ticked.value = all;
}

/** Ticks every client that the question finds, on all pages. */
export async function tickAll(): Promise<void> {
  const query = new URLSearchParams({ sort: "joined" });
  for (const [name, value] of Object.entries(question.value)) if (value) query.set(name, value);
  try {
    const ids = new Set<string>();
    for (let cursor: string | null = "0"; cursor !== null;) {
      query.set("cursor", cursor);
      const { body, headers } = await requestWhole("GET", `api/clients?${query}`);
      for (const { id } of body as ClientInfo[]) ids.add(id);
      cursor = headers.get(nextCursorHeader);
    }
    ticked.value = ids;
  } catch (error) {
    notice.value = PlatformError.from(error);
  }
}

/** Does the same to several clients. */
export async function actOn(verb: (typeof clientVerbs)[number], clients: readonly string[]): Promise<void> {
  try {
    notice.value = undefined;
    await request("POST", "api/clients", { verb, clients });
    ticked.value = new Set();
  } catch (error) {
    notice.value = PlatformError.from(error);
  }
  refreshQuietly();
}
