import { PlatformError, type ErrorCode } from "../shared/errors.ts";
import { hints } from "../shared/hints.ts";
import { limits } from "../shared/limits.ts";
import { createGate } from "../shared/client/data/gate.ts";
import { createUplink } from "../shared/uplink.ts";
import { version } from "../shared/version.ts";
import { SilenceError } from "../system/silence.ts";
import { Distance } from "../system/distance.ts";
import type { Fetch } from "./fetch.ts";
import { Network } from "./network.ts";
import { OutageWatch } from "./outage.ts";
import { persist, RetryAfterError } from "./retry.ts";

/** A body that can be sent again after a lost reply. */
export type ReplayableBody = string | Uint8Array<ArrayBuffer> | Blob;

/** A request; `path` is relative to the server's address, without a leading slash. */
export interface Request {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "HEAD" | "DELETE";
  readonly path: string;
  readonly body?: ReplayableBody;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal | undefined;
  /** Extra time in ms for the server's work on the request's body, before it answers. */
  readonly workMs?: number;
  /** Time that the request is repeated, in ms; absent: the connection's patience. */
  readonly patienceMs?: number;
  /** Whether the server may say where the bytes are instead of sending them (SPEC.md [BLOB-5]). */
  readonly isBlob?: boolean;
  /** The reply lasts, and shows life at least every `limits.signOfLifeMs`. */
  readonly lasts?: boolean;
  /** Body and reply travel compressed where that pays (SPEC.md [MILES-8], [MILES-9]). */
  readonly mayShrink?: boolean;
  /** For a lasting reply that no promise waits for: it does not keep the program running. */
  readonly background?: boolean;
}

interface HttpOptions {
  readonly url: string;
  /** Addresses of other servers of the same data, for requests that this server does not answer (SPEC.md [SERVERS-5]). */
  readonly otherUrls?: readonly string[];
  /** Finds the token for the server at `url`; called again when a server refuses it, because a restarted one may have left a new one. */
  readonly findToken: (url: string) => Promise<string | undefined>;
  readonly patienceMs: number;
  readonly log: (line: string) => void;
  /** Replaces requests over the network. */
  readonly fetch?: Fetch;
  /** Time without a byte, in ms, after which a connection is given up and its request repeated; 15 s when absent. */
  readonly silenceMs?: number | undefined;
}

/** Time for four signs of life of a lasting reply (`limits.signOfLifeMs`). */
export const usualSilenceMs = 15_000;
/** The same for a lasting reply, which is cheap to open again (SPEC.md [MILES-3]). */
const lastingSilenceMs = limits.signOfLifeMs + 1_500;
/** Time for which blobs are fetched from the server after a fetch from where it said has failed. */
const indirectMs = 10 * 60_000;
/** Largest factor of the silence limit for a server that is slow to answer; the factor doubles with each failure. */
const mostPatience = 4;
/** Status of a server that takes no compressed body. */
const unsupported = 415;
/** Refusals after which another server may answer. */
const awayCodes: ReadonlySet<ErrorCode> = new Set(["UNREACHABLE", "TIMED_OUT", "SHUTTING_DOWN"]);

/**
 * Requests to a server, or to one of several that share their data. Every request of this interface is idempotent, so each is repeated with back-off when its reply is
 * lost, its connection stalls (SPEC.md [WAIT-2]), or its refusal is retryable.
 */
export class HttpClient {
  readonly outage: OutageWatch;
  /** Uploads in pieces. */
  readonly sendUpload = createUplink(() => performance.now());
  /** Large uploads under way; three use a link of 150 ms as well as more would. */
  readonly gateUpload = createGate(3);
  /** Addresses, with the present one first. */
  readonly #urls: string[];
  readonly #options: HttpOptions;
  readonly #closed = new AbortController();
  readonly #network = new Network();
  readonly #distance = new Distance();
  #token: Promise<string | undefined>;
  /** Until then blobs are fetched from the server, by `performance.now()`. */
  #indirectUntil = 0;

  constructor(options: HttpOptions) {
    this.#options = options;
    this.#urls = [options.url, ...(options.otherUrls ?? [])];
    this.#token = options.findToken(options.url);
    this.outage = new OutageWatch(this.#urls.join(" or "), options.log);
  }

  /** Address of the server that requests go to now. */
  get url(): string {
    return this.#urls[0]!;
  }

  /**
   * Sends a request and reads its reply with `read`. Both are repeated together, so that a reply that breaks off is repeated
   * too.
   */
  request<T>(request: Request, read: (response: Response) => Promise<T> | T): Promise<T> {
    return this.#persist(request, async (response) => {
      try {
        return await read(response);
      } catch (error) {
        throw error instanceof PlatformError ? error : lost(error, this.url);
      }
    });
  }

  /**
   * Repeats `work`, several requests without patience of their own, until it succeeds.
   * @param reached - how far it has come
   */
  repeat<T>(work: () => Promise<T>, reached: () => number, signal?: AbortSignal): Promise<T> {
    const { patienceMs } = this.#options;
    return persist(work, { patienceMs, signal: this.#until(signal), reached });
  }

  /** Opens a streamed reply. The caller reads it, and handles a broken connection itself. `signal` ends the reply. */
  open(request: Request): Promise<Response> {
    return this.#persist(request, (response) => response);
  }

  #persist<T>(request: Request, read: (response: Response) => Promise<T> | T): Promise<T> {
    const signal = this.#until(request.signal);
    const patienceMs = request.patienceMs ?? this.#options.patienceMs;
    let patience = 1;
    let isRepeat = false;
    return persist(
      async () => {
        const { url } = this;
        const given = { ...request, url, isRepeat, silenceMs: this.#silenceMs(patience, patienceMs) };
        isRepeat = true;
        try {
          return await read(await this.#attempt(given, signal));
        } catch (error) {
          const isSlow = error instanceof PlatformError && isSilence(error.cause) && error.cause.wasConnected;
          patience = isSlow ? Math.min(mostPatience, patience * 2) : 1;
          if (error instanceof PlatformError && awayCodes.has(error.code)) this.#turnFrom(url);
          throw error;
        }
      },
      { patienceMs, signal, outage: this.outage },
    );
  }

  /** Turns to the next address, unless another request has done so. */
  #turnFrom(url: string): void {
    if (this.url === url) this.#urls.push(this.#urls.shift()!);
  }

  /** The silence limit: every address has its part of the request's patience. */
  #silenceMs(patience: number, patienceMs: number): number {
    const ms = (this.#options.silenceMs ?? usualSilenceMs) * patience;
    return patienceMs > 0 ? Math.min(ms, patienceMs / this.#urls.length) : ms;
  }

  /** Aborted by {@link close}. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Whether requests go over the network. */
  get isRemote(): boolean {
    return this.#options.fetch === undefined;
  }

  /** Whether a body travels compressed. */
  isCompressed(body: Uint8Array): boolean {
    return this.isRemote && this.#distance.pays(body, this.url);
  }

  /** Address and headers for a WebSocket; undefined when requests do not go over the network. */
  async socketAddress(path: string): Promise<{ url: URL; headers: Record<string, string> } | undefined> {
    if (!this.isRemote || this.closed.aborted) return undefined;
    const url = new URL(path, this.url);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return { url, headers: headersOf(await this.#token) };
  }

  /** Ends every request with `PlatformError` (`reason`), and refuses later requests. */
  close(reason = new PlatformError("WRONG_STATE", "The connection was closed with hands.close().")): void {
    this.#closed.abort(reason);
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal ? AbortSignal.any([this.#closed.signal, signal]) : this.#closed.signal;
  }

  async #attempt(request: Attempt, signal: AbortSignal): Promise<Response> {
    const token = await this.#token;
    const response =
      (request.isBlob === true && (await this.#fetchDirectly(request, token, signal))) ||
      (await this.#fetch(request, token, signal));
    if (response.ok) return response;
    const refusal = await refusalOf(response).catch((error: unknown) => {
      throw lost(error, request.url);
    });
    // The attempt whose reply was lost has deleted the resource.
    if (request.method === "DELETE" && request.isRepeat && refusal.code === "NOT_FOUND")
      return new Response();
    if (refusal.code !== "UNAUTHENTICATED") throw refusal;
    this.#token = this.#options.findToken(request.url);
    if ((await this.#token) === token) throw refusal;
    return this.#attempt(request, signal);
  }

  /** @returns undefined when the server is to send the blob itself: where the server said, it cannot be fetched */
  async #fetchDirectly(
    request: Attempt,
    token: string | undefined,
    signal: AbortSignal,
  ): Promise<Response | undefined> {
    if (performance.now() < this.#indirectUntil) return undefined;
    const response = await this.#fetch({ ...request, path: `${request.path}?direct=1` }, token, signal);
    if (response.status !== 307) return response;
    await response.body?.cancel();
    try {
      const path = response.headers.get("location") ?? "";
      // The token is for the server alone.
      const found = await this.#fetch({ ...request, path }, undefined, signal);
      if (found.ok) return found;
      await found.body?.cancel();
    } catch (error) {
      if (signal.aborted) throw error;
    }
    this.#indirectUntil = performance.now() + indirectMs;
    return undefined;
  }

  async #fetch(request: Attempt, token: string | undefined, signal: AbortSignal): Promise<Response> {
    const { body, headers: encoding } =
      request.mayShrink && this.isRemote
        ? await this.#distance.compressed(request.body, request.url)
        : { body: request.body, headers: {} };
    const headers = { ...headersOf(token), ...request.headers, ...encoding };
    try {
      const { background = false, lasts = false, silenceMs, workMs } = request;
      const replySilenceMs = lasts ? Math.min(silenceMs, lastingSilenceMs) : silenceMs;
      const { fetch: send = this.#network.fetch } = this.#options;
      const init: RequestInit = {
        method: request.method,
        headers,
        signal,
        redirect: "manual",
        ...(body !== undefined && { body }),
      };
      const begunAt = performance.now();
      const response = await send(new URL(request.path, request.url), init, {
        background,
        silenceMs,
        replySilenceMs,
        workMs,
      });
      this.#distance.answered(
        performance.now() - begunAt,
        request.url,
        response.headers.get("accept-encoding"),
      );
      const isCompressed = encoding["content-encoding"] !== undefined;
      if (response.status !== unsupported || !isCompressed) return response;
      await response.body?.cancel();
    } catch (error) {
      throw lost(error, request.url);
    }
    // Behind a balancer the address may be that of an older server now.
    return this.#fetch({ ...request, mayShrink: false }, token, signal);
  }
}

interface Attempt extends Request {
  readonly url: string;
  /** Whether the reply to an earlier attempt may have been lost. */
  readonly isRepeat: boolean;
  readonly silenceMs: number;
}

function isSilence(error: unknown): error is SilenceError {
  return error instanceof SilenceError;
}

function lost(error: unknown, url: string): PlatformError {
  if (isSilence(error))
    return new PlatformError("TIMED_OUT", `No answer from ${url} in time: ${error.message}.`, error);
  return new PlatformError("UNREACHABLE", `No answer from ${url} (${reasonOf(error)}).`, error);
}

/** Headers of every request. */
function headersOf(token: string | undefined): Record<string, string> {
  const agent = { "user-agent": `manyhands-sdk/${version}` };
  return token ? { ...agent, authorization: `Bearer ${token}` } : agent;
}

/** The innermost cause of a failed fetch, because `fetch failed` alone does not help. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof AggregateError) return reasonOf(cause.errors[0]);
  if (cause instanceof Error) return reasonOf(cause);
  return error instanceof Error ? error.message || error.name : String(error);
}

async function refusalOf(response: Response): Promise<PlatformError> {
  const retryAfter = Number(response.headers.get("retry-after"));
  const text = await response.text();
  const refusal = PlatformError.fromReply(response.status, text, fromStatus);
  return retryAfter > 0 ? new RetryAfterError(refusal, retryAfter * 1000) : refusal;
}

/** A refusal without a Manyhands body: of a proxy, or of another program on that port. */
function fromStatus(status: number, text: string): PlatformError {
  const message = `The server answered with HTTP status ${status}${text ? `: ${text.slice(0, 200)}` : ""}.`;
  if (status === 401) return new PlatformError("UNAUTHENTICATED", message);
  if (status === 403) return new PlatformError("FORBIDDEN", message);
  if (status === 404) return new PlatformError("NOT_FOUND", message, undefined, hints.server);
  if (status === 413) return new PlatformError("TOO_LARGE", message);
  if (status === 416) return new PlatformError("RANGE_NOT_SATISFIABLE", message);
  if (status === 429) return new PlatformError("TOO_MANY", message);
  if (status === 502 || status === 503 || status === 504) return new PlatformError("UNREACHABLE", message);
  return status >= 500
    ? new PlatformError("INTERNAL", message)
    : new PlatformError("BAD_REQUEST", message, undefined, hints.server);
}
