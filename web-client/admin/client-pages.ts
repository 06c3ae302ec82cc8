import { computed, effect, signal, untracked } from "@preact/signals";
import { PlatformError } from "../../shared/errors.ts";
import {
  clientCountHeader,
  type ClientInfo,
  type ClientsActed,
  type clientVerbs,
} from "../../shared/wire/rest/clients.ts";
import { nextCursorHeader } from "../../shared/wire/rest/pages.ts";
import { request, requestWhole } from "./api.ts";
import { goToOverview, place } from "./navigation.ts";
import { noClientsAsked, type ClientQuestion } from "./place.ts";
import { notice, signedIn } from "./state.ts";
import { texts } from "./texts/current.ts";
import { Ticks } from "./ticks.tsx";

/** Rows of a page. */
export const clientsPerPage = 100;
const typingMs = 200;

interface ClientPage {
  readonly clients: readonly ClientInfo[];
  readonly count: number;
  readonly next: number | undefined;
}

export const question = computed(() =>
  place.value.at === "overview" ? place.value.clients : noClientsAsked,
);
/** Place of the first client of the page. */
export const first = computed(() => question.value.from ?? 0);
/** The page that the person asked for; undefined while the page shows what the server pushes. */
export const page = signal<ClientPage | undefined>(undefined);
export const ticks = new Ticks();

let typing: ReturnType<typeof setTimeout> | undefined;
/** Counts questions, so that the reply to an earlier one is dropped. */
let era = 0;
let waiting = false;
let lastSearch: string | undefined;

/** Whether the person asked for other clients than the server pushes. */
export function isAsked(): boolean {
  return Object.values(question.value).some((value) => value !== undefined && value !== "");
}

/** Changes the question, and shows its first page. */
export function ask(changed: ClientQuestion): void {
  goToOverview({ clients: { ...question.value, ...changed, from: undefined } }, changed.search !== undefined);
}

export function turnTo(from: number): void {
  goToOverview({ clients: { ...question.value, from } });
}

/** The server is asked whenever the question changes, by the person or by the address. */
effect(() => {
  const { search } = question.value;
  if (signedIn.value?.role !== "admin") return;
  untracked(() => {
    clearTimeout(typing);
    typing = setTimeout(() => void refresh(), search === lastSearch ? 0 : typingMs);
    lastSearch = search;
  });
});

/** Asks again for the shown page, unless a reply is still to come. */
export function refreshQuietly(): void {
  if (!waiting && isAsked()) void refresh();
}

async function refresh(): Promise<void> {
  const now = ++era;
  if (!isAsked()) return void (page.value = undefined);
  waiting = true;
  const query = withQuestion(
    new URLSearchParams({ limit: String(clientsPerPage), cursor: String(first.value) }),
  );
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

/** Ticks every client that the question finds, on all pages. */
export function tickAll(): Promise<void> {
  return ticks.setAll("api/clients", withQuestion(new URLSearchParams({ sort: "joined" })));
}

function withQuestion(query: URLSearchParams): URLSearchParams {
  const { from: _from, ...asked } = question.value;
  for (const [name, value] of Object.entries(asked)) if (value) query.set(name, value);
  return query;
}

/** Does the same to several clients. */
export async function actOn(verb: (typeof clientVerbs)[number], clients: readonly string[]): Promise<void> {
  try {
    notice.value = undefined;
    const text = texts.clients.reload;
    const { unable } = (await request("POST", "api/clients", { verb, clients })) as ClientsActed;
    ticks.clear();
    if (unable.length > 0)
      notice.value = new PlatformError(
        "WRONG_STATE",
        text.unable(texts.counts.clients(unable.length)),
        undefined,
        text.unableRemedy,
      );
  } catch (error) {
    notice.value = PlatformError.from(error);
  }
  refreshQuietly();
}
