import { clientSorts, clientStates, type ClientQuery } from "../../shared/wire/rest/clients.ts";
import { jobListStates, jobSorts, type JobListState, type JobSort } from "../../shared/wire/rest/job-list.ts";

/** The jobs that the person asked for. */
export interface JobQuestion {
  readonly search: string;
  /** `all`: everything, in the order of `sort`. */
  readonly state: JobListState | "all" | "";
  readonly sort: JobSort;
  /** Cursor and number of the page; no cursor on the first. */
  readonly cursor: string | undefined;
  readonly page: number;
}

export const nothingAsked: JobQuestion = {
  search: "",
  state: "",
  sort: "newest",
  cursor: undefined,
  page: 1,
};

/** The clients that the person asked for. */
export interface ClientQuestion extends Pick<ClientQuery, "search" | "state" | "kind" | "sort" | "order"> {
  /** Place of the first client of the page; absent on the first. */
  readonly from?: number | undefined;
}

export const noClientsAsked: ClientQuestion = {};

/** What the page shows; its address says it, so that a link shows others the same. */
export type Place =
  | { readonly at: "overview"; readonly question: JobQuestion; readonly clients: ClientQuestion }
  | { readonly at: "job"; readonly job: string }
  | { readonly at: "task"; readonly job: string; readonly index: number }
  | { readonly at: "access" };

/** Reads the part of an address behind `#`. What cannot be read is the overview. */
export function readPlace(hash: string): Place {
  const [path = "", query = ""] = hash.replace(/^#?\/?/, "").split("?", 2);
  const [at, job, , index] = path.split("/");
  if (at === "access") return { at };
  if (at === "jobs" && job !== undefined && /^j_\w+$/.test(job))
    return index !== undefined && /^\d{1,15}$/.test(index)
      ? { at: "task", job, index: Number(index) }
      : { at: "job", job };
  const asked = new URLSearchParams(query);
  return { at: "overview", question: readQuestion(asked), clients: readClients(asked) };
}

/** The address of a place, from `#` on. */
export function hashOf(place: Place): string {
  switch (place.at) {
    case "access":
      return "#/access";
    case "job":
      return `#/jobs/${place.job}`;
    case "task":
      return `#/jobs/${place.job}/tasks/${place.index}`;
    case "overview": {
      const { search, state, sort, cursor, page } = place.question;
      const query = new URLSearchParams();
      if (search.trim() !== "") query.set("search", search);
      if (state !== "") query.set("state", state);
      if (sort !== "newest") query.set("sort", sort);
      if (cursor !== undefined) {
        query.set("page", String(page));
        query.set("cursor", cursor);
      }
      for (const [name, value] of Object.entries(place.clients))
        if (value) query.set(`client-${name}`, String(value));
      return query.size > 0 ? `#/?${query.toString()}` : "#/";
    }
  }
}

/** The address of the list of clients with one of them, as long as the server remembers it. */
export function hashOfClient(client: string): string {
  return hashOf({ at: "overview", question: nothingAsked, clients: { search: client } });
}

function readQuestion(query: URLSearchParams): JobQuestion {
  const state = query.get("state") ?? "";
  const sort = query.get("sort") ?? "";
  const cursor = query.get("cursor") ?? undefined;
  const page = Number(query.get("page"));
  return {
    search: query.get("search") ?? "",
    state: state === "all" || isOneOf(jobListStates, state) ? state : "",
    sort: isOneOf(jobSorts, sort) ? sort : "newest",
    cursor,
    page: cursor !== undefined && Number.isSafeInteger(page) && page > 1 ? page : 1,
  };
}

/** Without what cannot be read. */
function readClients(query: URLSearchParams): ClientQuestion {
  const one = <T extends string>(name: string, all: readonly T[]): T | undefined => {
    const value = query.get(`client-${name}`) ?? "";
    return isOneOf(all, value) ? value : undefined;
  };
  const search = query.get("client-search");
  const state = one("state", clientStates);
  const kind = one("kind", ["browser", "node"]);
  const sort = one("sort", clientSorts);
  const order = one("order", ["asc", "desc"]);
  const from = Number(query.get("client-from"));
  return {
    ...(search && { search }),
    ...(state && { state }),
    ...(kind && { kind }),
    ...(sort && { sort }),
    ...(order && { order }),
    ...(Number.isSafeInteger(from) && from > 0 && { from }),
  };
}

function isOneOf<T extends string>(all: readonly T[], text: string): text is T {
  return (all as readonly string[]).includes(text);
}
