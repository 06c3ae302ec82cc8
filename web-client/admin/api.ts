import { PlatformError } from "../../shared/errors.ts";
import type { Role } from "../../shared/wire/rest/tokens.ts";

export interface SignedIn {
  readonly role: Role | null;
  readonly name: string | null;
}

/**
 * Sends a request with the cookie of the sign-in.
 * @returns the JSON of the reply, undefined for an empty one
 * @throws PlatformError the server's refusal, or UNREACHABLE
 */
export async function request(method: string, path: string, body?: unknown): Promise<unknown> {
  return (await requestWhole(method, path, body)).body;
}

/** As `request`, with the headers of the reply. */
export async function requestWhole(
  method: string,
  path: string,
  body?: unknown,
): Promise<{ body: unknown; headers: Headers }> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      ...(body !== undefined && {
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
    });
  } catch (error) {
    throw new PlatformError("UNREACHABLE", "The server does not answer.", error);
  }
  const text = await response.text();
  const { headers } = response;
  if (response.ok) return { body: text === "" ? undefined : (JSON.parse(text) as unknown), headers };
  throw PlatformError.fromReply(response.status, text);
}
