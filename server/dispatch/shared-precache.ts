import { limits } from "../../shared/limits.ts";
import type { PrecacheProgress } from "../../shared/wire/rest/precache.ts";
import type { DataReferenceShape } from "../../shared/data-reference.ts";
import type { PrecacheItem } from "../../shared/wire/precache.ts";
import type { PrecacheRequest, StandingPrecache } from "../precache-request.ts";
import type { ServerDirectory } from "../server-directory.ts";
import { News } from "./news.ts";

/** The other servers are looked at this often: one may have joined, or have to be asked again. */
const lookMs = 1000;
/** A server that has not told of its clients for this long is not waited for. */
const patienceMs = 2000;

const problemsShown = 20;

type Servers = Pick<ServerDirectory, "others" | "urlOf" | "self">;

/** The progress of the clients of another server. */
interface Elsewhere {
  readonly since: number;
  progress: PrecacheProgress | undefined;
  readonly end: AbortController;
}

/** A precache of the clients of all servers: it stands here, and as a request at each of the others (SPEC.md [SERVERS-16]). */
export class SharedPrecache implements StandingPrecache {
  readonly #request: PrecacheRequest;
  readonly #here: StandingPrecache;
  readonly #servers: Servers;
  readonly #elsewhere = new Map<string, Elsewhere>();
  readonly #news = new News<"progress">();
  readonly #timer: NodeJS.Timeout;

  /** @param here - the precache of this server's clients, which waits for no number of them */
  constructor(request: PrecacheRequest, here: StandingPrecache, servers: Servers) {
    this.#request = request;
    this.#here = here;
    this.#servers = servers;
    this.#look();
    this.#timer = setInterval(() => this.#look(), lookMs).unref();
  }

  progress(): PrecacheProgress {
    const now = performance.now();
    const told = [...this.#elsewhere.values()];
    const all = [this.#here.progress(), ...told.flatMap(({ progress }) => progress ?? [])];
    const sum = (of: (progress: PrecacheProgress) => number): number =>
      all.reduce((total, progress) => total + of(progress), 0);
    const counts = {
      clients: sum(({ clients }) => clients),
      have: sum(({ have }) => have),
      short: sum(({ short }) => short),
      paused: sum(({ paused }) => paused),
      haveBytes: sum(({ haveBytes }) => haveBytes),
    };
    const isTold = told.every(({ progress, since }) => progress !== undefined || now - since > patienceMs);
    return {
      ...counts,
      done: isTold && all.every(({ done }) => done) && counts.have + counts.short >= this.#request.atLeast,
      bytes: all[0]!.bytes,
      problems: all.flatMap(({ problems }) => problems).slice(0, problemsShown),
    };
  }

  async changed(signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    await Promise.race([this.#here.changed(either), this.#news.next("progress", either)]);
    over.abort();
  }

  end(): void {
    clearInterval(this.#timer);
    this.#here.end();
    for (const { end } of this.#elsewhere.values()) end.abort();
    this.#elsewhere.clear();
  }

  #look(): void {
    const living = new Set(this.#servers.others.map(({ id }) => id));
    for (const [id, { end }] of this.#elsewhere)
      if (!living.has(id)) {
        end.abort();
        this.#elsewhere.delete(id);
      }
    for (const id of living) if (!this.#elsewhere.has(id)) void this.#follow(id);
  }

  /** Has a server ask its clients, and reads their progress until the server's reply ends. */
  async #follow(id: string): Promise<void> {
    const url = this.#servers.urlOf(id);
    if (url === undefined || this.#servers.self === undefined) return;
    const elsewhere: Elsewhere = {
      since: performance.now(),
      progress: undefined,
      end: new AbortController(),
    };
    this.#elsewhere.set(id, elsewhere);
    const silence = setTimeout(() => elsewhere.end.abort(), 3 * limits.signOfLifeMs).unref();
    try {
      const { items, requires } = this.#request;
      const reply = await fetch(`${url.replace(/\/$/, "")}/api/precache?of=own`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          authorization: `Bearer ${this.#servers.self.token}`,
        },
        body: JSON.stringify({ refs: items.flatMap(referencesOf), requires, atLeast: 0, stay: true }),
        signal: elsewhere.end.signal,
      });
      if (!reply.ok || !reply.body) return;
      let text = "";
      for await (const chunk of reply.body.pipeThrough(new TextDecoderStream())) {
        silence.refresh();
        const lines = (text + chunk).split("\n");
        text = lines.pop()!;
        const newest = lines.findLast((line) => line !== "");
        if (newest === undefined) continue;
        elsewhere.progress = JSON.parse(newest) as PrecacheProgress;
        this.#news.tell("progress");
      }
    } catch {
      // The next look asks again, as long as the server lives.
    } finally {
      clearTimeout(silence);
      if (this.#elsewhere.get(id) === elsewhere) this.#elsewhere.delete(id);
      this.#news.tell("progress");
    }
  }
}

function referencesOf({ sha256, size, ranges }: PrecacheItem): DataReferenceShape[] {
  return ranges ? ranges.map((range) => ({ sha256, size, range })) : [{ sha256, size }];
}
