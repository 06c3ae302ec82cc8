import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import type { DataReference } from "../shared/data-reference.ts";
import { PlatformError } from "../shared/errors.ts";
import { limits } from "../shared/limits.ts";
import { contentTypes } from "../shared/wire/rest/content-types.ts";
import {
  precacheProgressSchema,
  type PrecacheInput,
  type PrecacheProgress,
} from "../shared/wire/rest/precache.ts";
import type { Requirements } from "../shared/wire/rest/requirements.ts";
import type { HttpClient } from "./http.ts";
import { jsonLines } from "./line-stream.ts";
import { pauseMs } from "./retry.ts";

/** Options of `hands.precache`. */
export interface PrecacheOptions {
  /** Only clients with these properties; absent: all. */
  readonly requires?: Requirements;
  /** Least number of clients that must have the data, or as much of it as they take; 1 when absent, 0 needs none. */
  readonly atLeast?: number;
  /** Goes on for later clients until {@link Precache.stop}; keeps the program running. */
  readonly stay?: boolean;
  /** Called when the progress changes, at most four times a second. */
  readonly onProgress?: ((progress: PrecacheProgress) => void) | undefined;
  /** Aborting ends the precache: its promises reject with the signal's reason. Clients keep the data they have. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Data on its way to clients. Await it for its final progress. The precache lasts as long as this program wants it: the end of
 * the program ends it, and after a restart of the server it is requested again.
 */
export class Precache implements PromiseLike<PrecacheProgress> {
  readonly #http: HttpClient;
  readonly #options: PrecacheOptions;
  readonly #body: string;
  readonly #settled = Promise.withResolvers<PrecacheProgress>();
  readonly #ended = Promise.withResolvers<void>();
  /** Aborted at the end of the precache. */
  readonly #over = new AbortController();
  /** Ends the current request; absent while paused. */
  #request: AbortController | undefined;
  #paused: PromiseWithResolvers<void> | undefined;
  #newest: PrecacheProgress | undefined;

  /** Made by `hands.precache`. */
  constructor(http: HttpClient, refs: readonly DataReference[], options: PrecacheOptions) {
    this.#http = http;
    this.#options = options;
    const { requires = {}, atLeast = 1, stay = false, signal } = options;
    const input: PrecacheInput = { refs: refs.map((ref) => ref.toJSON()), requires, atLeast, stay };
    this.#body = JSON.stringify(input);
    // Callers that await the precache see its rejection; without a caller it must not be an unhandled one.
    this.#settled.promise.catch(() => undefined);
    this.#ended.promise.catch(() => undefined);
    const given = (): void => this.#fail(signal?.reason);
    signal?.addEventListener("abort", given, { once: true });
    this.#over.signal.addEventListener("abort", () => signal?.removeEventListener("abort", given));
    if (signal?.aborted) given();
    else if (refs.length === 0 || refs.length > limits.precacheRefs)
      this.#fail(
        new PlatformError(
          "BAD_ARGUMENT",
          `${refs.length} references to precache; expected 1 to ${limits.precacheRefs} at one time.`,
        ),
      );
    else void this.#run();
  }

  /** The newest progress; undefined before the server's first report. */
  get progress(): PrecacheProgress | undefined {
    return this.#newest;
  }

  /** Waits until every connected client has the data, or as much of it as it takes. @throws PlatformError NOT_FOUND, … */
  // oxlint-disable-next-line unicorn/no-thenable -- `await hands.precache(…)` is the point of the interface
  then<Fulfilled = PrecacheProgress, Rejected = never>(
    onFulfilled?: ((progress: PrecacheProgress) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    return this.#settled.promise.then(onFulfilled, onRejected);
  }

  /** Resolves at the end of the precache; with `stay` that is after {@link Precache.stop}. Rejects when another cause ended it. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Clients begin no further transfer until {@link resume}; they keep the data they have. */
  pause(): void {
    this.#paused ??= Promise.withResolvers<void>();
    this.#request?.abort();
  }

  /** Goes on after {@link pause}. */
  resume(): void {
    this.#paused?.resolve();
    this.#paused = undefined;
  }

  /** Ends the precache. Awaiting it gives the newest progress; clients keep the data they have. */
  stop(): void {
    const nobody = {
      done: false,
      bytes: 0,
      clients: 0,
      have: 0,
      short: 0,
      paused: 0,
      haveBytes: 0,
      problems: [],
    };
    this.#settled.resolve(this.#newest ?? nobody);
    this.#end();
  }

  async #run(): Promise<void> {
    const { signal } = this.#over;
    for (let cuts = 0; !signal.aborted;) {
      await this.#paused?.promise;
      try {
        for await (const progress of this.#follow()) {
          cuts = 0;
          this.#tell(progress);
        }
      } catch (error) {
        if (error instanceof PlatformError && !signal.aborted) return this.#fail(error);
        // The connection broke, or the precache was paused: it is requested again.
      }
      if (!this.#paused) await sleep(pauseMs(cuts++), undefined, { signal }).catch(() => undefined);
    }
  }

  async *#follow(): AsyncGenerator<PrecacheProgress, void, undefined> {
    const request = (this.#request = new AbortController());
    if (this.#over.signal.aborted || this.#paused) return;
    const response = await this.#http.open({
      method: "POST",
      path: "api/precache",
      body: this.#body,
      headers: { "content-type": contentTypes.json, accept: contentTypes.ndjson },
      signal: AbortSignal.any([this.#over.signal, request.signal]),
    });
    try {
      for await (const line of jsonLines(response)) yield v.parse(precacheProgressSchema, line);
    } finally {
      request.abort();
    }
  }

  #tell(progress: PrecacheProgress): void {
    if (this.#over.signal.aborted) return;
    this.#newest = progress;
    this.#options.onProgress?.(progress);
    if (!progress.done) return;
    this.#settled.resolve(progress);
    if (this.#options.stay !== true) this.#end();
  }

  #fail(reason: unknown): void {
    this.#settled.reject(reason);
    this.#ended.reject(reason);
    this.#end();
  }

  #end(): void {
    this.#ended.resolve();
    this.#over.abort();
    this.resume();
  }
}
