import type { IncomingMessage } from "node:http";
import { pipeline, type Readable } from "node:stream";
import { promisify } from "node:util";
import { createGunzip, gzip } from "node:zlib";
import { shrinks } from "./deflated-frames.ts";

/** Names of this machine, as `URL.hostname` has them. */
export const localNames: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Smaller bodies cost more time than their bytes. */
const leastBytes = 8 * 1024;
/** Larger parts of files are not read into memory for it. */
const mostFileBytes = 16 * 1024 ** 2;
/** An answer that came so quickly came over a network that is hardly slower than compression. */
const nearMs = 10;
/** The same for names of this machine: it may be busy, and only what is far away at the other end of a tunnel takes longer. */
const localMs = 50;
/** A body may take as long as at 100 Mbit/s: compression is not much faster. */
const fastBytesPerMs = 12_500;
const compress = promisify(gzip);

interface Compressed<Body> {
  readonly body: Body | Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
}

/** Tells servers that are far away, and take bodies compressed, from the others (SPEC.md [MILES-8], [MILES-9]). */
export class Distance {
  /** Undefined before the first answer. */
  #quickestMs: number | undefined;
  /** Addresses of servers that said that they take compressed bodies. */
  readonly #taking = new Set<string>();

  /**
   * Notes an answer.
   * @param ms - time from the request to the reply's head; undefined when the server had work to do for it
   * @param accepted - `Accept-Encoding` of the reply
   * @param bodyBytes - of the request
   */
  answered(ms: number | undefined, url: string, accepted: string | null | undefined, bodyBytes = 0): void {
    if (ms !== undefined)
      this.#quickestMs = Math.min(this.#quickestMs ?? Infinity, ms - bodyBytes / fastBytesPerMs);
    if (/\bgzip\b/.test(accepted ?? "")) this.#taking.add(url);
    // Behind a balancer an address may be that of an older server now.
    else if (bodyBytes > 0) this.#taking.delete(url);
  }

  /** Whether a body is worth compressing. */
  pays(body: Uint8Array, url: string): boolean {
    return this.#isFar(url) && this.#taking.has(url) && body.length >= leastBytes && shrinks(body);
  }

  /** Body and further headers of a request: compressed where that pays. A request without a body asks for a compressed reply. */
  async compressed<Body>(body: Body, url: string): Promise<Compressed<Body>> {
    if (body === undefined && this.#isFar(url)) return { body, headers: { "accept-encoding": "gzip" } };
    const isFile = body instanceof Blob && body.size <= mostFileBytes && this.#isFar(url);
    const bytes = isFile ? new Uint8Array(await body.arrayBuffer()) : body;
    if (!(bytes instanceof Uint8Array) || !this.pays(bytes, url)) return { body, headers: {} };
    return { body: await compress(bytes, { level: 1 }), headers: { "content-encoding": "gzip" } };
  }

  #isFar(url: string): boolean {
    const isLocal = localNames.has(new URL(url).hostname);
    return this.#quickestMs !== undefined && this.#quickestMs > (isLocal ? localMs : nearMs);
  }
}

/** The bytes of a reply, inflated while they come. A reply that is cut ends with an error, as it does without compression. */
export function plainReply(reply: IncomingMessage): Readable {
  if (reply.headers["content-encoding"] !== "gzip") return reply;
  return pipeline(reply, createGunzip(), () => undefined);
}
