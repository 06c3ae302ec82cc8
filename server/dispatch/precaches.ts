import { PlatformError } from "../../shared/errors.ts";
import type { ClientId, Sha256 } from "../../shared/ids.ts";
import { precacheBytes } from "../../shared/wire/precache.ts";
import type { ClientMessage, ServerMessage } from "../../shared/wire/protocol.ts";
import type { PrecacheProgress } from "../../shared/wire/rest/precache.ts";
import type { PrecacheRequest, StandingPrecache } from "../precache-request.ts";
import { News } from "./news.ts";
import type { SchedulerClientInfo } from "../scheduler/events.ts";
import { meets } from "../scheduler/requirements.ts";

/** Most standing precaches: each takes up to 400 kB here, and on its way to a client that joins. */
const maxPrecaches = 32;
const maxPerCustomer = 8;
const problemsShown = 20;
/** A client that is silent for this long is not waited for: the slowest step, 8 MiB over 50 kB/s, takes three minutes. */
const silentMs = 10 * 60_000;

type Report = Extract<ClientMessage, { type: "precached" }>;

/** The state of a precache on one client. */
interface Part {
  readonly name: string;
  state: "asked" | Report["state"];
  haveBytes: number;
  missedBytes: number;
  reason: string;
  heardAt: number;
}

interface Precache extends PrecacheRequest {
  readonly id: number;
  readonly bytes: number;
  readonly names: ReadonlySet<Sha256>;
  readonly parts: Map<ClientId, Part>;
}

/** The standing precaches and their state on each client. In memory only: a precache lasts as long as its request. */
export class Precaches {
  readonly #send: (client: ClientId, message: ServerMessage) => void;
  readonly #clients = new Map<ClientId, { readonly info: SchedulerClientInfo; readonly name: string }>();
  readonly #precaches = new Map<number, Precache>();
  readonly #news = new News<number>();
  readonly #clock: () => number;
  #nextId = 1;

  constructor(
    send: (client: ClientId, message: ServerMessage) => void,
    clock: () => number = () => performance.now(),
  ) {
    this.#send = send;
    this.#clock = clock;
  }

  /**
   * Asks every connected client, and every client that joins, until the precache is ended.
   * @throws PlatformError TOO_MANY
   */
  start(request: PrecacheRequest): StandingPrecache {
    this.#makeSureOfRoom(request.customer);
    const id = this.#nextId++;
    const bytes = request.items.reduce((sum, item) => sum + precacheBytes(item), 0);
    const names = new Set(request.items.map(({ sha256 }) => sha256));
    const precache: Precache = { ...request, id, bytes, names, parts: new Map() };
    this.#precaches.set(id, precache);
    for (const client of this.#clients.keys()) this.#ask(precache, client);
    return {
      progress: () => progressOf(precache, this.#clock()),
      changed: (signal) => this.#news.next(id, signal),
      end: () => this.#end(precache),
    };
  }

  /** Asks a client that connected, for the first time or again, for its report on each precache. */
  joined(info: SchedulerClientInfo, name: string): void {
    this.#clients.set(info.id, { info, name });
    for (const precache of this.#precaches.values()) this.#ask(precache, info.id);
  }

  /** Whether a standing precache asks this client to fetch the blob. */
  isAsked(client: ClientId, sha256: Sha256): boolean {
    for (const { names, parts } of this.#precaches.values())
      if (names.has(sha256) && parts.has(client)) return true;
    return false;
  }

  left(client: ClientId): void {
    if (!this.#clients.delete(client)) return;
    for (const precache of this.#precaches.values())
      if (precache.parts.delete(client)) this.#news.tell(precache.id);
  }

  /**
   * Takes a client's report. False when the report is dropped: the precache has ended, or the client was not asked
   * for it.
   */
  reported(client: ClientId, { id, state, haveBytes, missedBytes, reason = "" }: Report): boolean {
    const precache = this.#precaches.get(id);
    const part = precache?.parts.get(client);
    if (!precache || !part) return false;
    part.state = state;
    part.haveBytes = Math.min(haveBytes, precache.bytes);
    part.missedBytes = Math.min(missedBytes, precache.bytes - part.haveBytes);
    part.reason = reason;
    part.heardAt = this.#clock();
    this.#news.tell(id);
    return true;
  }

  #ask(precache: Precache, id: ClientId): void {
    const client = this.#clients.get(id);
    if (!client || !meets(client.info, precache.requires)) return;
    const nothing = { haveBytes: 0, missedBytes: 0, reason: "", heardAt: this.#clock() };
    precache.parts.set(id, { name: client.name, state: "asked", ...nothing });
    this.#send(id, { type: "precache", id: precache.id, blobs: [...precache.items] });
    this.#news.tell(precache.id);
  }

  #end(precache: Precache): void {
    if (!this.#precaches.delete(precache.id)) return;
    for (const client of precache.parts.keys()) this.#send(client, { type: "precacheEnd", id: precache.id });
  }

  #makeSureOfRoom(customer: string | undefined): void {
    const all = [...this.#precaches.values()];
    const own = customer === undefined ? 0 : all.filter((precache) => precache.customer === customer).length;
    if (this.#precaches.size >= maxPrecaches || own >= maxPerCustomer)
      throw new PlatformError(
        "TOO_MANY",
        `Clients are being asked for ${own} sets of data of yours and ${this.#precaches.size} in all; at most ${maxPerCustomer} and ${maxPrecaches} at one time.`,
      );
  }
}

function progressOf({ bytes, parts, atLeast }: Precache, now: number): PrecacheProgress {
  const sum = { have: 0, short: 0, paused: 0, haveBytes: 0, underWay: 0 };
  const problems: PrecacheProgress["problems"] = [];
  for (const [client, part] of parts) {
    const { name, haveBytes } = part;
    sum.haveBytes += haveBytes;
    const isSilent = now - part.heardAt > silentMs;
    const isShort = (part.state === "done" || isSilent) && haveBytes < bytes && part.state !== "paused";
    if (part.state === "paused") sum.paused++;
    else if (isShort) sum.short++;
    else if (part.state === "done") sum.have++;
    else sum.underWay++;
    if (!isShort || problems.length >= problemsShown) continue;
    const message = part.state === "done" ? part.reason : "It told nothing for ten minutes.";
    problems.push({ client, name, missedBytes: bytes - haveBytes, message });
  }
  const { underWay, ...counts } = sum;
  const done = underWay === 0 && counts.have + counts.short >= atLeast;
  return { done, bytes, clients: parts.size, ...counts, problems };
}
