import { Agent, request, type ClientRequest, type IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Fetch } from "../../customer/http.ts";
import type { PortStream } from "./port-stream.ts";

/** Connections kept for the next request. */
const idleConnections = 8;

/** `fetch` over connections that `connect` makes, instead of sockets: HTTP as it is spoken to any server. */
export function createFetch(connect: () => PortStream): { fetch: Fetch; close(): void } {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: idleConnections });
  agent.createConnection = () => connect();
  const fetch: Fetch = async (url, init, background = false) => {
    const { signal } = init;
    signal?.throwIfAborted();
    const sent = request(url, {
      // One of its own, so that no other request is given a connection that keeps nothing alive.
      ...(background ? { createConnection: () => connect().unref() } : { agent }),
      method: init.method ?? "GET",
      headers: { "accept-encoding": "identity", ...(init.headers as Record<string, string>) },
    });
    const answer = answerOf(sent);
    const abort = (): void => void sent.destroy(reasonOf(signal));
    signal?.addEventListener("abort", abort, { once: true });
    try {
      // A server may refuse before it has read everything: then its answer counts, not the broken upload.
      send(sent, init.body).catch((error: Error) => sent.destroy(error));
      return toResponse(await answer, signal);
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  };
  return { fetch, close: () => agent.destroy() };
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

/** Statuses whose replies have no body, as `Response` insists. */
const bodiless = new Set([204, 205, 304]);

function toResponse(answer: IncomingMessage, signal: AbortSignal | null | undefined): Response {
  const headers = new Headers();
  for (const [name, values] of Object.entries(answer.headersDistinct))
    for (const value of values ?? []) headers.append(name, value);
  const status = answer.statusCode ?? 500;
  const none = bodiless.has(status);
  if (none) answer.resume();
  const abort = (): void => void answer.destroy(reasonOf(signal));
  signal?.addEventListener("abort", abort, { once: true });
  answer.once("close", () => signal?.removeEventListener("abort", abort));
  const body = none ? null : (Readable.toWeb(answer) as ReadableStream<Uint8Array<ArrayBuffer>>);
  return new Response(body, { status, headers });
}

function reasonOf(signal: AbortSignal | null | undefined): Error {
  return signal?.reason instanceof Error ? signal.reason : new Error("aborted");
}
