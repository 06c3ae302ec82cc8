import { PlatformError } from "../../shared/errors.ts";
import type { ClientId } from "../../shared/ids.ts";
import { precacheBytes, type PrecacheItem } from "../../shared/precache.ts";
import type { ClientMessage, ServerMessage } from "../../shared/protocol.ts";
import type { PrecacheProgress, Requirements } from "../../shared/rest.ts";
import type { SchedulerClientInfo } from "../scheduler/events.ts";
import { meets } from "../scheduler/requirements.ts";
import { News } from "./news.ts";

/** Wishes that stand at one time: at their largest some 400 kB each, here and on their way to a client that joins. */
const maxWishes = 32;
const maxWishesPerCustomer = 8;
const problemsShown = 20;
/** A client that tells nothing for so long is not waited for: its slowest step, 8 MiB over 50 kB/s, takes three minutes. */
const silentMs = 10 * 60_000;

/** Data that somebody wants clients to have. */
export interface WishRequest {
  readonly customer: string;
  readonly items: readonly PrecacheItem[];
  readonly requires: Requirements;
  /** Not fulfilled before so many clients have done what they will. */
  readonly atLeast: number;
}

/** A wish that stands until it is ended. */
export interface Wanted {
  progress(): PrecacheProgress;
  /** Resolves when {@link progress} may have something new to tell, or `signal` is aborted. */
  changed(signal: AbortSignal): Promise<void>;
  end(): void;
}

type Report = Extract<ClientMessage, { type: "precached" }>;

/** How far one client is. */
interface Part {
  readonly name: string;
  state: "asked" | Report["state"];
  haveBytes: number;
  missedBytes: number;
  reason: string;
  heardAt: number;
}

interface Wish extends WishRequest {
  readonly id: number;
  readonly bytes: number;
  readonly parts: Map<ClientId, Part>;
}

/** Which data clients were asked to have before tasks need it, and how far they are. Memory only: a wish is a request's. */
export class Precaches {
  readonly #send: (client: ClientId, message: ServerMessage) => void;
  readonly #clients = new Map<ClientId, { readonly info: SchedulerClientInfo; readonly name: string }>();
  readonly #wishes = new Map<number, Wish>();
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

  /** Asks every client that is there, and those that join, until the wish is ended. @throws PlatformError TOO_MANY */
  want(request: WishRequest): Wanted {
    this.#makeSureOfRoom(request.customer);
    const id = this.#nextId++;
    const bytes = request.items.reduce((sum, item) => sum + precacheBytes(item), 0);
    const wish: Wish = { ...request, id, bytes, parts: new Map() };
    this.#wishes.set(id, wish);
    for (const client of this.#clients.keys()) this.#ask(wish, client);
    return {
      progress: () => progressOf(wish, this.#clock()),
      changed: (signal) => this.#news.next(id, signal),
      end: () => this.#end(wish),
    };
  }

  /** A client is there, for the first time or again: what it had of a wish it says anew. */
  joined(info: SchedulerClientInfo, name: string): void {
    this.#clients.set(info.id, { info, name });
    for (const wish of this.#wishes.values()) this.#ask(wish, info.id);
  }

  left(client: ClientId): void {
    if (!this.#clients.delete(client)) return;
    for (const wish of this.#wishes.values()) if (wish.parts.delete(client)) this.#news.tell(wish.id);
  }

  /** What a client says of itself; about wishes that it was not asked, or not any more, it says nothing. */
  reported(client: ClientId, { wish: id, state, haveBytes, missedBytes, reason = "" }: Report): void {
    const wish = this.#wishes.get(id);
    const part = wish?.parts.get(client);
    if (!wish || !part) return;
    part.state = state;
    part.haveBytes = Math.min(haveBytes, wish.bytes);
    part.missedBytes = Math.min(missedBytes, wish.bytes - part.haveBytes);
    part.reason = reason;
    part.heardAt = this.#clock();
    this.#news.tell(id);
  }

  #ask(wish: Wish, id: ClientId): void {
    const client = this.#clients.get(id);
    if (!client || !meets(client.info, wish.requires)) return;
    const nothing = { haveBytes: 0, missedBytes: 0, reason: "", heardAt: this.#clock() };
    wish.parts.set(id, { name: client.name, state: "asked", ...nothing });
    this.#send(id, { type: "precache", wish: wish.id, blobs: [...wish.items] });
    this.#news.tell(wish.id);
  }

  #end(wish: Wish): void {
    if (!this.#wishes.delete(wish.id)) return;
    for (const client of wish.parts.keys()) this.#send(client, { type: "precacheEnd", wish: wish.id });
  }

  #makeSureOfRoom(customer: string): void {
    const own = [...this.#wishes.values()].filter((wish) => wish.customer === customer).length;
    if (this.#wishes.size >= maxWishes || own >= maxWishesPerCustomer)
      throw new PlatformError(
        "TOO_MANY",
        `Clients are being asked for ${own} sets of data of yours and ${this.#wishes.size} in all; at most ${maxWishesPerCustomer} and ${maxWishes} at one time.`,
      );
  }
}

function progressOf({ bytes, parts, atLeast }: Wish, now: number): PrecacheProgress {
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
