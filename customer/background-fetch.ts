import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";

/**
 * `fetch` of a reply that lasts, on a connection of its own that does not keep the program running: `fetch` itself has no
 * way to say so. For requests without a body.
 */
export async function backgroundFetch(url: URL, init: RequestInit): Promise<Response> {
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  const signal = init.signal ?? undefined;
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = send(url, {
      method: init.method ?? "GET",
      headers: init.headers as Record<string, string>,
      agent: false,
      ...(signal && { signal }),
    });
    sent.once("socket", (socket) => socket.unref());
    sent.once("response", resolve);
    sent.on("error", reject);
    sent.end();
  });
  return new Response(Readable.toWeb(answer) as ReadableStream<Uint8Array<ArrayBuffer>>, {
    status: answer.statusCode ?? 500,
    headers: Object.entries(answer.headersDistinct).flatMap(([name, values]) =>
      (values ?? []).map((value): [string, string] => [name, value]),
    ),
  });
}
