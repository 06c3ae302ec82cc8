import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { AwsV4Signer } from "aws4fetch";
import { backoffMs } from "../../../shared/backoff.ts";
import { messageOf } from "../../../shared/errors.ts";
import { Connections, watchSilence } from "../../../system/connections.ts";
import { elementOf, S3Failure } from "./failure.ts";
import type { S3Place } from "./place.ts";

/** A request for a key of the bucket, or for the bucket itself. */
export interface S3Request {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Without the prefix; absent: the bucket. */
  readonly key?: string;
  readonly query?: Record<string, string>;
  readonly headers?: Record<string, string>;
  readonly body?: S3Body;
  /** Extra time in ms for S3's work before it answers. */
  readonly workMs?: number;
}

/** A body that can be sent again. */
export interface S3Body {
  readonly bytes: number;
  /** S3 refuses bytes of another SHA-256 (hexadecimal), which is part of the signature. */
  readonly sha256: string;
  open(): Readable;
}

/** Time limits of a request; see `BucketBounds`. */
interface Patience {
  readonly silenceMs: number;
  readonly patienceMs: number;
}

const firstPauseMs = 200;
const longestPauseMs = 5000;
/** SHA-256 of nothing. */
const emptySha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** Requests to one bucket, signed (Signature Version 4) and tried again with back-off. */
export class S3Client {
  readonly place: S3Place;
  readonly #patience: Patience;
  readonly #connections = new Connections();
  /** Keys of the signatures of a day. */
  readonly #keys = new Map<string, ArrayBuffer>();

  constructor(place: S3Place, patience: Patience) {
    this.place = place;
    this.#patience = patience;
  }

  /** Sends a request and reads its reply, a short one. @throws S3Failure */
  ask(request: S3Request): Promise<{ headers: IncomingMessage["headers"]; body: string }> {
    return this.#persist(request, async (reply) => ({ headers: reply.headers, body: await text(reply) }));
  }

  /** Opens a reply, whose reader handles a broken connection. @throws S3Failure */
  open(request: S3Request): Promise<IncomingMessage> {
    return this.#persist(request, async (reply) => reply);
  }

  /** An address under which anybody gets the key for `seconds`. */
  async signedUrl(key: string, seconds: number): Promise<string> {
    const url = new URL(`${this.place.clientUrl ?? this.place.url}${this.place.prefix}${key}`);
    url.searchParams.set("X-Amz-Expires", String(seconds));
    return (await this.#signer({ url: url.href, method: "GET", signQuery: true }).sign()).url.href;
  }

  async #persist<T>(request: S3Request, read: (reply: IncomingMessage) => Promise<T>): Promise<T> {
    const started = performance.now();
    for (let attempt = 0; ; attempt++) {
      try {
        return await read(await this.#attempt(request));
      } catch (error) {
        const failure = this.#failure(error);
        const pauseMs = backoffMs(attempt, Math.random, firstPauseMs, longestPauseMs);
        if (!failure.isTransient || performance.now() - started + pauseMs > this.#patience.patienceMs)
          throw failure;
        await sleep(pauseMs);
      }
    }
  }

  #failure(error: unknown): S3Failure {
    if (error instanceof S3Failure) return error;
    // Of a host with several addresses each has failed.
    const reason: unknown = error instanceof AggregateError ? error.errors[0] : error;
    return new S3Failure(
      this.place.bucket,
      undefined,
      "",
      `no answer from ${this.#host}: ${messageOf(reason)}`,
      error,
    );
  }

  get #host(): string {
    return new URL(this.place.url).host;
  }

  /** @returns a reply that is no refusal */
  async #attempt({
    method,
    key,
    query = {},
    headers = {},
    body,
    workMs,
  }: S3Request): Promise<IncomingMessage> {
    const url = new URL(this.place.url + (key === undefined ? "" : this.place.prefix + key));
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const all = { ...headers, "x-amz-content-sha256": body?.sha256 ?? emptySha256 };
    const signed = await this.#signer({ url: url.href, method, headers: all }).sign();
    const sent = (url.protocol === "https:" ? httpsRequest : httpRequest)(signed.url, {
      agent: this.#connections.agentOf(url),
      method,
      headers: { ...Object.fromEntries(signed.headers), "content-length": body?.bytes ?? 0 },
    });
    watchSilence(sent, {
      silenceMs: this.#patience.silenceMs,
      workMs,
      onSilence: () => this.#connections.renew(),
    });
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      sent.once("response", resolve);
      sent.on("error", reject);
    });
    // S3 may refuse before it has read the whole body: then its answer counts, not the broken upload.
    if (body) pipeline(body.open(), sent).catch((error: Error) => sent.destroy(error));
    else sent.end();
    const reply = await answer;
    const { statusCode: status = 500 } = reply;
    if (status >= 200 && status < 300) return reply;
    const said = method === "HEAD" ? "" : await text(reply);
    if (method === "HEAD") reply.resume();
    sent.destroy();
    throw this.refusal(status, said);
  }

  /** The failure that a reply of S3 tells. */
  refusal(status: number, xml: string): S3Failure {
    const code = elementOf(xml, "Code") ?? (status === 404 ? "NotFound" : "");
    return new S3Failure(this.place.bucket, status, code, elementOf(xml, "Message") ?? "");
  }

  #signer(request: {
    url: string;
    method: string;
    headers?: Record<string, string>;
    signQuery?: boolean;
  }): AwsV4Signer {
    const { accessKeyId, secretAccessKey, sessionToken, region } = this.place;
    const cache = this.#keys;
    // The cache has a key for each day.
    if (cache.size > 8) cache.clear();
    return new AwsV4Signer({
      ...request,
      accessKeyId,
      secretAccessKey,
      ...(sessionToken !== undefined && { sessionToken }),
      service: "s3",
      region,
      cache,
    });
  }
}
