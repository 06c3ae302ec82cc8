import {
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
} from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { watchSilence } from "../system/connections.ts";
import { plainReply } from "../system/distance.ts";
import type { FetchOptions } from "./fetch.ts";

/** Replies of a known size up to this are read whole, because web streams cost more than so few bytes. */
const smallReplyBytes = 64 * 1024;

/**
 * `fetch` over node:http, with connections from `connection`. The global `fetch` copies a body before it sends it, opens a
 * connection for every HEAD, and cannot drop a dead connection.
 * @throws SilenceError, also from the reply's body
 */
export async function fetchOver(
  connection: Pick<RequestOptions, "agent" | "createConnection">,
  url: URL,
  init: RequestInit,
  options: FetchOptions = {},
): Promise<Response> {
  const { signal } = init;
  signal?.throwIfAborted();
  const sent = (url.protocol === "https:" ? httpsRequest : httpRequest)(url, {
    ...connection,
    method: init.method ?? "GET",
    headers: { "accept-encoding": "identity", ...(init.headers as Record<string, string>) },
  });
  if (options.background) sent.once("socket", (socket) => socket.unref());
  const answer = answerOf(sent);
  const { silenceMs } = options;
  if (silenceMs !== undefined) watchSilence(sent, { ...options, silenceMs });
  const abort = (): void => void sent.destroy(reasonOf(signal));
  signal?.addEventListener("abort", abort, { once: true });
  try {
    // A server may refuse before it has read the whole body: then its answer counts, not the broken upload.
    send(sent, init.body).catch((error: Error) => sent.destroy(error));
    return await toResponse(await answer, init);
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

function answerOf(sent: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.once("response", resolve);
    sent.on("error", reject);
  });
}

async function send(sent: ClientRequest, body: RequestInit["body"]): Promise<void> {
  if (body instanceof Blob) {
    sent.setHeader("content-length", body.size);
    await pipeline(Readable.fromWeb(body.stream()), sent);
  } else if (typeof body === "string" || body instanceof Uint8Array) {
    sent.setHeader("content-length", Buffer.byteLength(body));
    sent.end(body);
  } else if (body == null) sent.end();
  else throw new TypeError("A body that cannot be sent again; expected text, bytes or a Blob.");
}

/** Statuses of replies without a body, for which `Response` refuses one. */
const bodiless = new Set([204, 205, 304]);

async function toResponse(answer: IncomingMessage, { method, signal }: RequestInit): Promise<Response> {
  const headers = new Headers();
  for (const [name, values] of Object.entries(answer.headersDistinct))
    for (const value of values ?? []) headers.append(name, value);
  const status = answer.statusCode ?? 500;
  const abort = (): void => void answer.destroy(reasonOf(signal));
  signal?.addEventListener("abort", abort, { once: true });
  answer.once("close", () => signal?.removeEventListener("abort", abort));
  const hasNone = bodiless.has(status) || method === "HEAD";
  return new Response(hasNone ? await nothing(answer) : await bodyOf(answer), { status, headers });
}

async function nothing(answer: IncomingMessage): Promise<null> {
  await buffer(answer);
  return null;
}

async function bodyOf(answer: IncomingMessage): Promise<NonNullable<RequestInit["body"]>> {
  const plain = plainReply(answer);
  if (plain === answer && Number(answer.headers["content-length"]) <= smallReplyBytes) return buffer(answer);
  return Readable.toWeb(plain) as ReadableStream<Uint8Array<ArrayBuffer>>;
}

function reasonOf(signal: AbortSignal | null | undefined): Error {
  return signal?.reason instanceof Error ? signal.reason : new Error("aborted");
}
