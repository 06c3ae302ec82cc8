import type { FetchedPart } from "../../shared/client/ports.ts";
import type { BlobName } from "../../shared/data-reference.ts";
import { PlatformError } from "../../shared/errors.ts";

/** A network that takes 100 Mbit/s is as fast as compression. */
export const fastBytesPerMs = 12_500;

export function bearer(ticket: string): Record<string, string> {
  return { authorization: `Bearer ${ticket}` };
}

/** Sends a request and applies `read` to its reply; gives up when nothing `moved` for `silenceMs`. */
export async function request(
  url: string,
  init: RequestInit,
  silenceMs: number,
  read?: (response: Response, moved: () => void) => Promise<void>,
): Promise<void> {
  const silence = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const moved = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(new Error(`nothing came for ${silenceMs} ms`)), silenceMs);
  };
  moved();
  try {
    const response = await fetch(url, { ...init, credentials: "omit", signal: silence.signal });
    if (!response.ok) throw PlatformError.fromReply(response.status, await response.text());
    await read?.(response, moved);
  } catch (error) {
    if (error instanceof PlatformError) throw error;
    throw new PlatformError("UNREACHABLE", `The server could not be reached: ${String(error)}`, error);
  } finally {
    clearTimeout(timer);
  }
}

/** Reads a body behind the bytes that `part` has of `size`; `part` keeps the new bytes also when the connection breaks. */
export async function readBehind(
  response: Response,
  part: FetchedPart,
  size: number,
  moved: () => void,
): Promise<void> {
  if (part.bytes.length !== size) part.bytes = new Uint8Array(size);
  const reader = response.body?.getReader();
  for (let step = await reader?.read(); step?.value; step = await reader?.read()) {
    moved();
    const { value } = step;
    if (part.length + value.length > size) {
      part.length = 0;
      void reader?.cancel();
      throw new PlatformError("HASH_MISMATCH", `More than the ${size} bytes came that were expected.`);
    }
    part.bytes.set(value, part.length);
    part.length += value.length;
  }
}

export function wrongLength({ sha256 }: BlobName, length: number, expected: number): PlatformError {
  const message = `Blob ${sha256} came with ${length} bytes; ${expected} were expected.`;
  return new PlatformError("HASH_MISMATCH", message);
}
