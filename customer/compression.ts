import type { IncomingMessage } from "node:http";
import { pipeline, type Readable } from "node:stream";
import { promisify } from "node:util";
import { createGunzip, gzip } from "node:zlib";
import { shrinks } from "../system/deflated-frames.ts";
import { localNames } from "./local-token.ts";

/** Smaller bodies cost more time than their bytes. */
const leastBytes = 8 * 1024;
/** An answer that came so quickly came over a network that is hardly slower than compression. */
const nearMs = 10;
/** The same for names of this machine: it may be busy, and only what is far away at the other end of a tunnel takes longer. */
const localMs = 50;
const compress = promisify(gzip);

/** Tells servers that are far away, and take inputs compressed, from the others (SPEC.md [MILES-8]). */
export class Distance {
  #quickestMs = Infinity;
  /** Addresses of servers that said that they take compressed inputs. */
  readonly #taking = new Set<string>();

  /** Notes an answer. @param ms - time from the request to the reply's head */
  answered(ms: number, url: string, { headers }: Response): void {
    this.#quickestMs = Math.min(this.#quickestMs, ms);
    if (/\bgzip\b/.test(headers.get("accept-encoding") ?? "")) this.#taking.add(url);
  }

  /** Body and further headers of a request with values: compressed where that pays. A request without a body asks for a compressed reply. */
  async compressed<Body>(
    body: Body,
    url: string,
  ): Promise<{ body: Body | Uint8Array<ArrayBuffer>; headers: Record<string, string> }> {
    const isLocal = localNames.has(new URL(url).hostname);
    if (this.#quickestMs <= (isLocal ? localMs : nearMs)) return { body, headers: {} };
    if (body === undefined) return { body, headers: { "accept-encoding": "gzip" } };
    const pays =
      this.#taking.has(url) && body instanceof Uint8Array && body.length >= leastBytes && shrinks(body);
    if (!pays) return { body, headers: {} };
    return { body: await compress(body, { level: 1 }), headers: { "content-encoding": "gzip" } };
  }
}

/** The bytes of a reply, inflated while they come. A reply that is cut ends with an error, as it does without compression. */
export function plainReply(reply: IncomingMessage): Readable {
  if (reply.headers["content-encoding"] !== "gzip") return reply;
  return pipeline(reply, createGunzip(), () => undefined);
}
