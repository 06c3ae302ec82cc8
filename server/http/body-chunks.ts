import type { Request } from "express";
import { createGunzip, type Gunzip } from "node:zlib";
import { messageOf, PlatformError } from "../../shared/errors.ts";

/**
 * The bytes of a body as they come, inflated when they came compressed (SPEC.md [MILES-8]). Leaving the iteration does not destroy
 * the request, because its refusal has yet to be sent.
 * @throws PlatformError UNSUPPORTED_TYPE, BAD_REQUEST
 */
export function bodyChunks(req: Request): AsyncIterable<Uint8Array> {
  const encoding = (req.headers["content-encoding"] ?? "identity").toLowerCase();
  if (encoding === "gzip") return inflated(req);
  if (encoding !== "identity")
    throw new PlatformError(
      "UNSUPPORTED_TYPE",
      `A stream of tasks cannot come in the encoding ${encoding.slice(0, 50)}; expected gzip, or none.`,
    );
  return req.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
}

/** Inflates a body. After `leave` the request is as if nobody had read it; its refusal has yet to be sent. */
export function inflateBody(req: Request): { readonly gunzip: Gunzip; readonly leave: () => void } {
  const gunzip = createGunzip();
  // An error that comes before its reader would end the process.
  gunzip.on("error", () => undefined);
  // A pipeline would destroy the request with the first damaged byte.
  const cut = (): void => {
    if (!req.complete) gunzip.flush(() => gunzip.destroy(new Error("the request was cut off")));
  };
  req.once("close", cut).pipe(gunzip);
  const leave = (): void => {
    req.off("close", cut).unpipe(gunzip);
    gunzip.destroy();
  };
  return { gunzip, leave };
}

async function* inflated(req: Request): AsyncGenerator<Uint8Array, void, undefined> {
  const { gunzip, leave } = inflateBody(req);
  try {
    yield* gunzip as AsyncIterable<Uint8Array>;
  } catch (error) {
    if (req.destroyed && !req.complete) throw error;
    throw new PlatformError("BAD_REQUEST", `The body is no whole gzip: ${messageOf(error)}.`, error);
  } finally {
    leave();
  }
}
